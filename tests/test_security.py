"""Each sentence of SECURITY.md has a test, or says something that no test can show."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCAL = "packages/localmaker/tests"
JOBS = f"{LOCAL}/services/sagemaker/jobs"
ESCAPES = f"{LOCAL}/sandbox/test_escapes.py"
#: The beginning of a sentence → the tests that show it.
SHOWN_BY = {
    "Definitions contain no secrets": [
        "tests/pipeline/definition/test_compile.py::test_no_secret_stands_in_the_definition",
        "packages/pipedef/tests/checks/test_plain_secrets.py::test_a_secret_is_found_wherever_it_has_a_name",
    ],
    "The credential of a Git repository": [
        "tests/scripts/test_connect_github.py::test_connect_pull_diverge_rotate_and_disconnect",
        "tests/pipeline/source_control/test_credential.py::test_no_process_shows_the_credential_while_it_is_tried",
        "tests/pipeline/source_control/test_credential.py::test_a_server_that_the_right_one_leads_to_does_not_get_the_credential",
        "tests/pipeline/source_control/test_pull_on_start.py::test_another_server_is_not_given_the_credential",
        "tests/pipeline/recovery/test_repository.py::test_a_password_comes_from_a_pipe_and_no_process_shows_it",
        "tests/pipeline/recovery/test_notebook.py::test_the_credential_of_the_repository_is_for_its_server_only",
    ],
    "Each role has the permissions": [
        "tests/end_to_end/test_least_privilege.py::test_a_role_may_do_what_its_work_uses_and_nothing_else",
    ],
    "CI's role that deploys": [
        "tests/end_to_end/test_least_privilege.py::test_ci_can_not_make_itself_an_administrator",
        "tests/pipeline/deploy/permissions/test_operators.py::test_deploying_removes_nothing_that_destroying_does",
        "tests/pipeline/deploy/permissions/test_operators.py::test_no_policy_that_deploying_can_write_lets_it_remove_data_or_the_boundary",
        "tests/pipeline/deploy/permissions/test_operators.py::test_without_a_boundary_ci_changes_no_role",
    ],
    "Whatever policy a role": [
        "tests/pipeline/deploy/permissions/test_operators.py::test_any_policy_below_the_boundary_stays_inside_of_the_environment",
    ],
    "Below the boundary a role reaches": [],
    "Buckets block public access": ["tests/pipeline/deploy/resources/test_buckets.py::test_buckets_are_closed"],
    "Object keys are hostile": [
        "tests/steps/analysis/runtime/test_upload.py::test_any_key_gives_a_name_that_is_safe_everywhere",
        "tests/end_to_end/test_object_keys.py::test_the_file_is_processed",
    ],
    "CSV cells are hostile": [
        "tests/steps/analysis/runtime/test_spreadsheets.py::test_no_text_cell_starts_a_formula",
        "tests/steps/analysis/publishing/test_table.py::test_text_columns_of_the_file_are_guarded",
        "tests/steps/analysis/publishing/test_page.py::test_whatever_it_is_called_it_is_text",
    ],
    "The model artefact is data": ["tests/steps/analysis/model/test_artefact.py::test_a_damaged_model_is_refused"],
    "Pickle and joblib exports": [
        "tests/scripts/lib/exports/test_safe_pickle.py::test_every_attack_is_refused_unrun",
        "tests/scripts/lib/exports/test_files.py::test_a_right_checksum_does_not_make_a_pickle_safe",
    ],
    "It binds to the loopback": [f"{LOCAL}/http/test_server.py::test_nothing_but_loopback"],
    "It serves only loopback names": [
        f"{LOCAL}/http/test_browsers.py::test_every_other_name_is_refused",
        f"{LOCAL}/http/test_browsers.py::test_every_path_and_method_is_refused",
        f"{LOCAL}/http/test_chromium.py::test_a_page_gets_nothing_from_another_origin_nor_by_rebinding",
    ],
    "What it serves cannot act": [
        f"{LOCAL}/http/test_browsers.py::test_what_is_served_cannot_act_as_a_page",
        f"{LOCAL}/http/test_chromium.py::test_an_uploaded_page_drives_nothing",
    ],
    "With `--enforce-iam`, every request": [
        f"{LOCAL}/services/iam/test_authentication.py::test_every_service_takes_the_administrators_credentials_and_no_others",
        f"{LOCAL}/services/iam/test_authentication.py::test_unsigned_requests",
    ],
    "The administrator's credentials": [
        f"{LOCAL}/services/iam/test_authentication.py::test_the_administrators_credentials_are_in_a_file_of_the_owners_only",
        f"{JOBS}/test_credentials.py::test_a_job_comes_by_no_credentials_but_its_own",
    ],
    "Requests, connections, waiting": [
        f"{LOCAL}/http/test_fuzz.py::test_every_request_is_answered",
        f"{LOCAL}/http/test_bounds.py::test_a_gibibyte_of_json_is_refused_unread",
        f"{LOCAL}/http/test_bounds.py::test_unfinished_bodies_are_bounded_together",
        f"{LOCAL}/http/test_server.py::test_a_new_client_takes_the_place_of_the_longest_idle_one",
        f"{LOCAL}/http/test_server.py::test_a_client_that_dawdles_is_answered_and_left",
    ],
    "It does not read the user's": [f"{LOCAL}/test_daemon.py::test_the_users_aws_files_are_not_read"],
    "A request runs nothing outside": [
        f"{LOCAL}/moto_patches/test_containment.py::test_a_template_calls_nothing",
        f"{LOCAL}/moto_patches/test_containment.py::test_no_container_is_started",
    ],
    "The state directory is the user's": [
        f"{LOCAL}/test_daemon.py::test_what_the_endpoint_keeps_is_the_users_alone",
        f"{LOCAL}/state/test_restart.py::test_state_that_others_can_change_is_refused",
        f"{LOCAL}/state/test_pickling.py::test_a_piece_that_would_run_a_function_is_refused",
    ],
    "A request is done as a whole": [
        f"{LOCAL}/state/test_full_disk.py::test_a_request_is_whole_or_nothing_whichever_write_fails",
        f"{LOCAL}/state/test_full_tmpfs.py::test_space_is_made_through_the_api_and_the_endpoint_works_on",
    ],
    "A job has a root file system": [f"{ESCAPES}::test_nothing_of_the_machine_is_reached"],
    "It has no capabilities": [
        f"{ESCAPES}::test_nothing_of_the_machine_is_reached",
        f"{ESCAPES}::test_attempts_succeed_where_they_are_not_held",
    ],
    "It sees and signals only": [
        f"{JOBS}/running/test_sandbox.py::test_job_sees_only_its_own_processes_and_host_name",
        f"{JOBS}/running/test_sandbox.py::test_tree_ends_when_the_endpoint_is_killed",
    ],
    "With network isolation it has": [
        f"{ESCAPES}::test_network_is_what_is_asked_for",
        f"{JOBS}/running/test_no_egress.py::test_the_servers_own_socket_is_no_way_out",
    ],
    "With `--no-egress`, what has": [
        f"{ESCAPES}::test_network_is_what_is_asked_for",
        f"{JOBS}/running/test_no_egress.py::test_a_processing_job_reaches_nothing_but_the_endpoint",
        f"{LOCAL}/services/lambda_/test_vpc.py::test_a_function_in_a_vpc_reaches_nothing_but_the_endpoint",
    ],
    "It has the credentials of its role": [
        f"{JOBS}/test_credentials.py::test_a_job_comes_by_no_credentials_but_its_own"
    ],
    "A `requirements.txt` is installed": [
        f"{LOCAL}/images/test_requirements.py::test_a_source_package_is_not_built",
        f"{LOCAL}/images/test_requirements.py::test_what_is_no_wheel_of_an_index_is_refused_with_its_line",
        f"{LOCAL}/images/test_requirements.py::test_a_wheel_does_not_bring_a_source_package_along",
        f"{LOCAL}/images/test_requirements.py::test_a_wheel_that_runs_code_runs_it_in_the_sandbox_only",
        f"{JOBS}/running/test_requirements.py::test_an_isolated_job_installs_without_the_network",
    ],
    "The passwords of package indexes": [
        f"{LOCAL}/images/test_requirements.py::test_no_form_of_a_proxy_keeps_its_password",
        f"{LOCAL}/images/test_requirements.py::test_pip_gets_what_was_understood",
    ],
    "An index on disk is visible": [
        f"{LOCAL}/images/test_requirements.py::test_a_job_sees_nothing_of_a_local_index",
        f"{LOCAL}/images/test_requirements.py::test_nobody_sees_a_home_directory_as_a_whole_or_the_endpoints_state",
    ],
    "A job ends when it is stopped": [
        f"{JOBS}/data/test_pipes.py::test_a_pipe_that_nobody_can_read_does_not_keep_the_job",
        f"{JOBS}/data/test_continuous.py::test_a_folder_that_becomes_a_pipe_does_not_keep_the_job",
        f"{JOBS}/running/test_requirements.py::test_a_build_ends_with_the_jobs_time",
    ],
    "Archives, compressed inputs": [
        f"{JOBS}/transform/test_endless_answers.py::test_an_answer_is_not_read_without_bound",
        f"{JOBS}/data/test_archives.py::test_archives_are_below_the_disk_limit_of_the_job",
        f"{JOBS}/data/test_hostile_outputs.py::test_sparse_model_is_refused",
    ],
    "Archives are unpacked": [
        f"{JOBS}/training/test_training.py::test_archive_member_outside_its_folder_fails_the_job",
        f"{JOBS}/training/test_training.py::test_archive_link_to_the_outside_fails_the_job",
        f"{JOBS}/processing/test_processing.py::test_links_in_outputs_are_not_followed",
    ],
    "A job that exceeds its memory": [
        f"{LOCAL}/sandbox/test_limits_under_load.py::test_right_reason_under_load",
        f"{LOCAL}/sandbox/test_full_machine.py::test_disk_of_a_job_is_bounded",
        f"{LOCAL}/sandbox/test_guard_decisions.py::test_paths_that_are_too_long_are_not_overlooked",
        f"{LOCAL}/sandbox/test_full_machine.py::test_files_in_memory_count_though_nothing_maps_them",
    ],
    "Below a reserve of free memory": [
        f"{LOCAL}/sandbox/test_full_machine.py::test_largest_job_ends_first",
        f"{LOCAL}/sandbox/test_full_machine.py::test_kernel_takes_a_job_before_anything_else",
    ],
    "An uploaded function sees": [
        f"{LOCAL}/services/lambda_/test_uploaded.py::test_it_sees_nothing_but_its_code_and_the_sdk",
        f"{LOCAL}/services/lambda_/test_executions.py::test_no_trap_in_its_folder_concerns_the_machine",
    ],
    "Without `--enforce-iam` the endpoint": [f"{LOCAL}/http/test_gateway.py::test_the_services_that_the_project_uses"],
    "Where bubblewrap does not work": [f"{LOCAL}/test_cli.py::test_jobs_without_a_sandbox_are_announced"],
    "Functions in `functions.toml`": [
        f"{LOCAL}/services/sagemaker/pipelines/steps/test_lambdas.py::test_a_process_that_a_function_leaves_behind_ends_with_it"
    ],
    "A job without network isolation": [f"{ESCAPES}::test_network_is_what_is_asked_for"],
    "The kernel is not held": [],
    "Limits are measured at intervals": [
        f"{LOCAL}/sandbox/test_guard_decisions.py::test_close_to_a_limit_it_looks_more_often",
    ],
    "What a job stores through": [],
    "With `LOCALMAKER_SOURCE_PACKAGES=1`": [
        f"{LOCAL}/images/test_requirements.py::test_a_build_script_sees_nothing_of_the_users"
    ],
    "A signed request can be sent again": [f"{LOCAL}/services/iam/test_authentication.py::test_what_is_not_held"],
    "CloudFormation creates": [f"{LOCAL}/services/iam/test_authentication.py::test_what_is_not_held"],
}


def sentences() -> list[str]:
    """Return what the two sections promise, each as one line."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    sections = text[text.index("## What the project guarantees") : text.index("## Supported versions")]
    return [" ".join(item.split()) for item in re.findall(r"^- (.*(?:\n  .*)*)", sections, re.MULTILINE)]


def test_every_sentence_is_shown() -> None:
    assert [one for one in sentences() if not one.startswith(tuple(SHOWN_BY))] == []
    assert [start for start in SHOWN_BY if not any(one.startswith(start) for one in sentences())] == []


@pytest.mark.parametrize("test", sorted({test for tests in SHOWN_BY.values() for test in tests}))
def test_what_shows_it_exists(test: str) -> None:
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
