"""The versions of Airflow that this adapter is tested with."""

TESTED = "2.11, 3.3"
