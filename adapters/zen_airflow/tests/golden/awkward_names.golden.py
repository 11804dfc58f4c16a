"""An Airflow DAG, emitted by Zen 0.1.0. Do not edit: change the pipeline and compile it again.

Pipeline: awkward_names
IR: sha256:0a3cf3ad12e0efe3abdc248ab0ec425606d8290558dba54b88c85704eb63e913
"""

import pendulum

try:  # Airflow 3
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

# Manifest and code, in the folder beside this file, must be of the same IR.
IR = "sha256:0a3cf3ad12e0efe3abdc248ab0ec425606d8290558dba54b88c85704eb63e913"


def run_step(step, /, **upstream):
    from zen_airflow import runtime  # inside the task only: parsing this file needs nothing but Airflow

    return runtime.run_step(__file__, IR, step, upstream)


@dag(
    dag_id="awkward_names",
    schedule=None,
    start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 0},
)
def awkward_names():
    @task(multiple_outputs=False)
    def load():
        return run_step("load")

    @task(task_id="class", multiple_outputs=False)
    def class_(load_refs_):
        return run_step("class", load=load_refs_)

    @task(task_id="lambda", multiple_outputs=False)
    def lambda_(load_refs_):
        return run_step("lambda", load=load_refs_)

    @task(multiple_outputs=False)
    def match(load_refs_):
        return run_step("match", load=load_refs_)

    @task(task_id="filter", multiple_outputs=False)
    def filter_(load_refs_):
        return run_step("filter", load=load_refs_)

    @task(task_id="print", multiple_outputs=False)
    def print_(load_refs_):
        return run_step("print", load=load_refs_)

    @task(multiple_outputs=False)
    def self(load_refs_):
        return run_step("self", load=load_refs_)

    @task(multiple_outputs=False)
    def step(load_refs_):
        return run_step("step", load=load_refs_)

    @task(multiple_outputs=False)
    def result(load_refs_):
        return run_step("result", load=load_refs_)

    @task(task_id="task", multiple_outputs=False)
    def task_(load_refs_):
        return run_step("task", load=load_refs_)

    @task(task_id="dag", multiple_outputs=False)
    def dag_(load_refs_):
        return run_step("dag", load=load_refs_)

    @task(multiple_outputs=False)
    def params(load_refs_):
        return run_step("params", load=load_refs_)

    @task(multiple_outputs=False)
    def ti(load_refs_):
        return run_step("ti", load=load_refs_)

    @task(multiple_outputs=False)
    def reason(load_refs_):
        return run_step("reason", load=load_refs_)

    @task(multiple_outputs=False)
    def run_id(load_refs_):
        return run_step("run_id", load=load_refs_)

    @task(task_id="pod", multiple_outputs=False)
    def pod_(load_refs_):
        return run_step("pod", load=load_refs_)

    @task(task_id="pendulum", multiple_outputs=False)
    def pendulum_(load_refs_):
        return run_step("pendulum", load=load_refs_)

    @task(task_id="run_step", multiple_outputs=False)
    def run_step_(load_refs_):
        return run_step("run_step", load=load_refs_)

    @task(multiple_outputs=False)
    def kwargs(load_refs_):
        return run_step("kwargs", load=load_refs_)

    @task(multiple_outputs=False)
    def context(load_refs_):
        return run_step("context", load=load_refs_)

    @task(multiple_outputs=False)
    def flow(load_refs_):
        return run_step("flow", load=load_refs_)

    @task(multiple_outputs=False)
    def parameters(load_refs_):
        return run_step("parameters", load=load_refs_)

    @task(multiple_outputs=False)
    def logger(load_refs_):
        return run_step("logger", load=load_refs_)

    @task(multiple_outputs=False)
    def op(load_refs_):
        return run_step("op", load=load_refs_)

    @task(multiple_outputs=False)
    def job(load_refs_):
        return run_step("job", load=load_refs_)

    @task(multiple_outputs=False)
    def config(load_refs_):
        return run_step("config", load=load_refs_)

    @task(multiple_outputs=False)
    def dsl(load_refs_):
        return run_step("dsl", load=load_refs_)

    @task(multiple_outputs=False)
    def output(load_refs_):
        return run_step("output", load=load_refs_)

    @task(multiple_outputs=False)
    def name(load_refs_):
        return run_step("name", load=load_refs_)

    @task(multiple_outputs=False)
    def load_refs(
        class_refs,
        lambda_refs,
        match_refs,
        filter_refs,
        print_refs,
        self_refs,
        step_refs,
        result_refs,
        task_refs,
        dag_refs,
        params_refs,
        ti_refs,
        reason_refs,
        run_id_refs,
        pod_refs,
        pendulum_refs,
        run_step_refs,
        kwargs_refs,
        context_refs,
        flow_refs,
        parameters_refs,
        logger_refs,
        op_refs,
        job_refs,
        config_refs,
        dsl_refs,
        output_refs,
        name_refs,
    ):
        return run_step(
            "load_refs",
            match=match_refs,
            filter=filter_refs,
            print=print_refs,
            self=self_refs,
            step=step_refs,
            result=result_refs,
            task=task_refs,
            dag=dag_refs,
            params=params_refs,
            ti=ti_refs,
            reason=reason_refs,
            run_id=run_id_refs,
            pod=pod_refs,
            pendulum=pendulum_refs,
            run_step=run_step_refs,
            kwargs=kwargs_refs,
            context=context_refs,
            flow=flow_refs,
            parameters=parameters_refs,
            logger=logger_refs,
            op=op_refs,
            job=job_refs,
            config=config_refs,
            dsl=dsl_refs,
            output=output_refs,
            name=name_refs,
            **{"class": class_refs, "lambda": lambda_refs},
        )

    @task(multiple_outputs=False)
    def zen_end():
        from zen_airflow import runtime

        runtime.end_run(__file__, IR)

    load_refs_ = load()
    class_refs = class_(load_refs_)
    lambda_refs = lambda_(load_refs_)
    match_refs = match(load_refs_)
    filter_refs = filter_(load_refs_)
    print_refs = print_(load_refs_)
    self_refs = self(load_refs_)
    step_refs = step(load_refs_)
    result_refs = result(load_refs_)
    task_refs = task_(load_refs_)
    dag_refs = dag_(load_refs_)
    params_refs = params(load_refs_)
    ti_refs = ti(load_refs_)
    reason_refs = reason(load_refs_)
    run_id_refs = run_id(load_refs_)
    pod_refs = pod_(load_refs_)
    pendulum_refs = pendulum_(load_refs_)
    run_step_refs = run_step_(load_refs_)
    kwargs_refs = kwargs(load_refs_)
    context_refs = context(load_refs_)
    flow_refs = flow(load_refs_)
    parameters_refs = parameters(load_refs_)
    logger_refs = logger(load_refs_)
    op_refs = op(load_refs_)
    job_refs = job(load_refs_)
    config_refs = config(load_refs_)
    dsl_refs = dsl(load_refs_)
    output_refs = output(load_refs_)
    name_refs = name(load_refs_)
    load_refs_refs = load_refs(
        class_refs,
        lambda_refs,
        match_refs,
        filter_refs,
        print_refs,
        self_refs,
        step_refs,
        result_refs,
        task_refs,
        dag_refs,
        params_refs,
        ti_refs,
        reason_refs,
        run_id_refs,
        pod_refs,
        pendulum_refs,
        run_step_refs,
        kwargs_refs,
        context_refs,
        flow_refs,
        parameters_refs,
        logger_refs,
        op_refs,
        job_refs,
        config_refs,
        dsl_refs,
        output_refs,
        name_refs,
    )

    load_refs_refs >> zen_end().as_teardown()


awkward_names()
