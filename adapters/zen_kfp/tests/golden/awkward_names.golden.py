"""A Kubeflow pipeline, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: awkward_names
IR: sha256:0a3cf3ad12e0efe3abdc248ab0ec425606d8290558dba54b88c85704eb63e913
"""

import hashlib
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "zen-steps:latest"
# The manifest in the folder beside this file is of the same IR, and says which code the steps run. Containers
# take both from the artifact store, by their digests: `zen deploy` and `zen push` put them there.
IR = "sha256:0a3cf3ad12e0efe3abdc248ab0ec425606d8290558dba54b88c85704eb63e913"
MANIFEST = hashlib.sha256((Path(__file__).with_suffix(".zen") / "manifest.json").read_bytes()).hexdigest()


def container(run, *arguments, upstream=None, parameters=None, image=IMAGE):
    # KFP puts the values of inputs into their places. All are texts that it does not read.
    return dsl.ContainerSpec(
        image=image,
        command=["python3", "-m", "zen_kfp.runtime"],
        args=[
            *arguments,
            f"--manifest={MANIFEST}",
            f"--ir={IR}",
            f"--run={run}",
            *(f"--refs={step}={refs}" for step, refs in (upstream or {}).items()),
            *(f"--parameter={name}={value}" for name, value in (parameters or {}).items()),
        ],
    )


def configured(task):
    # Zen decides in the container whether work is done again.
    # A task that KFP takes from its own cache runs no container, and would be missing in the lineage.
    task.set_caching_options(False)
    return task


@dsl.container_component
def load(run: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "load", f"--to={refs}")


@dsl.container_component
def class_(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "class", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def lambda_(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "lambda", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def match(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "match", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def filter_(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "filter", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def print_(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "print", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def self_(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "self", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def step(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "step", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def result(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "result", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def task(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "task", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def dag(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "dag", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def params(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "params", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def ti(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "ti", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def reason(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "reason", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def run_id(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "run_id", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def pod(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "pod", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def pendulum(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "pendulum", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def run_step(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "run_step", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def kwargs(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "kwargs", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def context(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "context", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def flow(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "flow", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def parameters(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "parameters", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def logger(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "logger", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def op(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "op", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def job(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "job", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def config(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "config", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def dsl_(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "dsl", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def output(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "output", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def name(run: str, load: str, refs: dsl.OutputPath(str)):
    return container(run, "run-step", "name", f"--to={refs}", upstream={"load": load})


@dsl.container_component
def load_refs(
    run: str,
    class_: str,
    lambda_: str,
    match: str,
    filter_: str,
    print_: str,
    self_: str,
    step: str,
    result: str,
    task: str,
    dag: str,
    params: str,
    ti: str,
    reason: str,
    run_id: str,
    pod: str,
    pendulum: str,
    run_step: str,
    kwargs: str,
    context: str,
    flow: str,
    parameters: str,
    logger: str,
    op: str,
    job: str,
    config: str,
    dsl_: str,
    output: str,
    name: str,
    refs: dsl.OutputPath(str),
):
    return container(
        run,
        "run-step",
        "load_refs",
        f"--to={refs}",
        upstream={
            "class": class_,
            "lambda": lambda_,
            "match": match,
            "filter": filter_,
            "print": print_,
            "self": self_,
            "step": step,
            "result": result,
            "task": task,
            "dag": dag,
            "params": params,
            "ti": ti,
            "reason": reason,
            "run_id": run_id,
            "pod": pod,
            "pendulum": pendulum,
            "run_step": run_step,
            "kwargs": kwargs,
            "context": context,
            "flow": flow,
            "parameters": parameters,
            "logger": logger,
            "op": op,
            "job": job,
            "config": config,
            "dsl": dsl_,
            "output": output,
            "name": name,
        },
    )


@dsl.container_component
def zen_end(run: str):
    return container(run, "end-run")


@dsl.pipeline(name="awkward-names")
def awkward_names():
    given = {"run": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    zen_end_task = configured(zen_end(**given))
    with dsl.ExitHandler(zen_end_task):
        load_task = configured(load(**given))
        class_task = configured(class_(load=load_task.outputs["refs"], **given))
        lambda_task = configured(lambda_(load=load_task.outputs["refs"], **given))
        match_task = configured(match(load=load_task.outputs["refs"], **given))
        filter_task = configured(filter_(load=load_task.outputs["refs"], **given))
        print_task = configured(print_(load=load_task.outputs["refs"], **given))
        self_task = configured(self_(load=load_task.outputs["refs"], **given))
        step_task = configured(step(load=load_task.outputs["refs"], **given))
        result_task = configured(result(load=load_task.outputs["refs"], **given))
        task_task = configured(task(load=load_task.outputs["refs"], **given))
        dag_task = configured(dag(load=load_task.outputs["refs"], **given))
        params_task = configured(params(load=load_task.outputs["refs"], **given))
        ti_task = configured(ti(load=load_task.outputs["refs"], **given))
        reason_task = configured(reason(load=load_task.outputs["refs"], **given))
        run_id_task = configured(run_id(load=load_task.outputs["refs"], **given))
        pod_task = configured(pod(load=load_task.outputs["refs"], **given))
        pendulum_task = configured(pendulum(load=load_task.outputs["refs"], **given))
        run_step_task = configured(run_step(load=load_task.outputs["refs"], **given))
        kwargs_task = configured(kwargs(load=load_task.outputs["refs"], **given))
        context_task = configured(context(load=load_task.outputs["refs"], **given))
        flow_task = configured(flow(load=load_task.outputs["refs"], **given))
        parameters_task = configured(parameters(load=load_task.outputs["refs"], **given))
        logger_task = configured(logger(load=load_task.outputs["refs"], **given))
        op_task = configured(op(load=load_task.outputs["refs"], **given))
        job_task = configured(job(load=load_task.outputs["refs"], **given))
        config_task = configured(config(load=load_task.outputs["refs"], **given))
        dsl_task = configured(dsl_(load=load_task.outputs["refs"], **given))
        output_task = configured(output(load=load_task.outputs["refs"], **given))
        name_task = configured(name(load=load_task.outputs["refs"], **given))
        configured(
            load_refs(
                class_=class_task.outputs["refs"],
                lambda_=lambda_task.outputs["refs"],
                match=match_task.outputs["refs"],
                filter_=filter_task.outputs["refs"],
                print_=print_task.outputs["refs"],
                self_=self_task.outputs["refs"],
                step=step_task.outputs["refs"],
                result=result_task.outputs["refs"],
                task=task_task.outputs["refs"],
                dag=dag_task.outputs["refs"],
                params=params_task.outputs["refs"],
                ti=ti_task.outputs["refs"],
                reason=reason_task.outputs["refs"],
                run_id=run_id_task.outputs["refs"],
                pod=pod_task.outputs["refs"],
                pendulum=pendulum_task.outputs["refs"],
                run_step=run_step_task.outputs["refs"],
                kwargs=kwargs_task.outputs["refs"],
                context=context_task.outputs["refs"],
                flow=flow_task.outputs["refs"],
                parameters=parameters_task.outputs["refs"],
                logger=logger_task.outputs["refs"],
                op=op_task.outputs["refs"],
                job=job_task.outputs["refs"],
                config=config_task.outputs["refs"],
                dsl_=dsl_task.outputs["refs"],
                output=output_task.outputs["refs"],
                name=name_task.outputs["refs"],
                **given,
            ),
        )


if __name__ == "__main__":
    compiler.Compiler().compile(awkward_names, str(Path(__file__).with_suffix(".yaml")))
