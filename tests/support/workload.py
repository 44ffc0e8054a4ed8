"""Cost of the tests: which ones `make check` leaves out, and which files workers begin with.

Measured in processor seconds on one core; a name stands for all node ids that begin with it.
"""

from __future__ import annotations

HEAVY = (
    # These need torch, a browser or pictures.
    "tests/finetune/",
    "tests/harness/askers/test_command.py",
    "tests/harness/askers/test_function.py",
    "tests/harness/baselines/test_on_frames.py",
    "tests/harness/baselines/test_probe.py",
    "tests/harness/baselines/test_sight.py",
    "tests/harness/commands/test_cli.py::test_examples_of_help_work",
    "tests/harness/comparison/test_sealed_leaderboard.py",
    "tests/harness/prediction/",
    "tests/harness/test_kills.py",
    "tests/harness/report/",
    "tests/harness/sealed/test_attempts.py",
    "tests/harness/serving/test_pages.py",
    "tests/harness/worlds/",
    "tests/reference/drawing/",
    "tests/reference/rendering/",
    "tests/reference/training/",
    "tests/reference/video/",
    "tests/support/test_leaks.py",
    "tests/test_container.py::test_the_health_check_tells_a_server_from_none",
    "tests/test_docs.py",
    # `make check` runs the tools themselves.
    "tests/test_structure.py::test_tools_have_nothing_to_say",
    # These take a second or more, or start processes.
    "tests/harness/commands/test_cli.py::test_a_broken_pipe_is_quiet",
    "tests/harness/commands/test_cli.py::test_a_page_and_exports_from_one_command",
    "tests/harness/commands/test_cli.py::test_a_terminal_that_knows_ascii_only",
    "tests/harness/commands/test_cli.py::test_card_names_are_text_everywhere",
    "tests/harness/commands/test_cli.py::test_file_names_are_literal",
    "tests/harness/commands/test_cli.py::test_json_is_one_value_csv_a_table_and_text_fits",
    "tests/harness/commands/test_cli.py::test_module_and_script_are_one_command",
    "tests/harness/commands/test_cli.py::test_odd_time_zones_and_locales_change_no_byte",
    "tests/harness/commands/test_cli.py::test_other_forms_of_the_board",
    "tests/harness/commands/test_cli.py::test_standard_input_and_output",
    "tests/harness/commands/test_command_lines.py",
    "tests/harness/comparison/test_leaderboard_diff.py",
    "tests/harness/comparison/test_pairwise.py::test_small_worlds",
    "tests/harness/scoring/test_audit.py::test_answers_from_the_frames_are_hardly_ever_suspected",
    "tests/harness/scoring/test_oracle.py::test_agreement[canonical-v1",
    "tests/harness/scoring/test_oracle.py::test_agreement[half-known",
    "tests/harness/scoring/test_oracle.py::test_agreement[many-labels",
    "tests/harness/scoring/test_oracle.py::test_agreement[singles",
    "tests/harness/scoring/test_oracle.py::test_agreement[warehouse-v2",
    "tests/harness/scoring/test_oracle.py::test_floors_and_prior_leave_the_session_out",
    "tests/harness/scoring/test_oracle.py::test_scikit_learn_agrees",
    "tests/harness/scoring/test_score.py::test_no_byte_depends_on_threads_locale_time_zone_or_hash_seed",
    "tests/harness/scoring/test_score.py::test_the_signature_pins_what_the_numbers_depend_on",
    "tests/harness/scoring/test_score_cache.py::test_full_disk",
    "tests/harness/scoring/test_score_cache.py::test_killed_at_twenty_random_moments",
    "tests/harness/scoring/test_score_cache.py::test_twelve_processes_at_once_lose_nothing",
    "tests/reference/test_code_digest.py",
    "tests/reference/truth/test_imported.py",
    "tests/reference/truth/test_store.py::test_every_split_is_pinned_and_built_as_pinned",
    "tests/reference/truth/test_store.py::test_locked_by_another_process",
    "tests/reference/truth/test_store.py::test_many_builders_at_once_and_one_killed",
    "tests/reference/truth/test_store.py::test_scaled_world_begins_with_the_unscaled_one",
    "tests/support/test_benchmarks.py",
    "tests/support/test_fault_server.py",
)

LONGEST = (
    "tests/finetune/test_train.py",
    "tests/finetune/test_chain.py",
    "tests/harness/report/test_page.py",
    "tests/finetune/test_kaggle.py",
    "tests/harness/commands/test_cli.py",
    "tests/finetune/test_model.py",
    "tests/finetune/test_plan.py",
    "tests/test_docs.py",
    "tests/harness/report/test_verify.py",
    "tests/harness/scoring/test_oracle.py",
    "tests/reference/rendering/test_render_split.py",
    "tests/harness/commands/test_control_characters.py",
    "tests/harness/worlds/test_sealing.py",
    "tests/harness/prediction/test_predict.py",
    "tests/harness/scoring/test_score_cache.py",
    "tests/harness/scoring/test_score.py",
    "tests/reference/truth/test_store.py",
    "tests/harness/comparison/test_sealed_leaderboard.py",
    "tests/harness/askers/test_command.py",
    "tests/harness/askers/test_function.py",
    "tests/harness/commands/test_advice.py",
    "tests/harness/comparison/test_strangers.py",
    "tests/harness/comparison/test_pairwise.py",
)
"""Files that take more than 10 s, longest first: a long one that begins last leaves the other workers idle."""


def is_heavy(node: str) -> bool:
    """True if `make check` leaves out this test, file or folder, given by its path from the root with `/`."""
    return node.startswith(HEAVY)
