"""How the conformance suite reads a toy plan back."""

import ast

from zen_core.testing.conformance.protocol import EmittedPipeline, EmittedStep


class Conformance:
    allowed_imports = frozenset()

    def read(self, files):
        tree = ast.parse(files[0].content)
        plan = {node.targets[0].id: ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)}
        return EmittedPipeline(
            steps={
                name: EmittedStep(
                    upstream=frozenset(step["upstream"]),
                    retries=step["retries"],
                    retry_delay_seconds=step["delay"],
                    branch=tuple(step["branch"]) if step["branch"] else None,
                    mapped=step["mapped"],
                    max_parallel=step["max_parallel"],
                )
                for name, step in plan["STEPS"].items()
            },
            defaults=plan["DEFAULTS"],
            required=frozenset(plan["REQUIRED"]),
            tags=frozenset(plan["TAGS"]),
        )

    def expected_default(self, spec, name):
        return next(parameter.default for parameter in spec.parameters if parameter.name == name)
