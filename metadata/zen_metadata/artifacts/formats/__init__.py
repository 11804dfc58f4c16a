"""The built-in serializers, one file per family of values."""
