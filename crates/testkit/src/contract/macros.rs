//! One test of each case.

/// Makes a module `$name` of tests, one for each promise of
/// [`JobStore`](application::ports::JobStore). `$fixture` yields [`Stores`](crate::contract::Stores).
#[macro_export]
macro_rules! job_store_contract {
    ($name:ident, $fixture:expr) => {
        $crate::contract_cases! { $name, $fixture, |stores| {
            jobs: [
                a_queued_job_is_claimed_once_and_seen_to_begin(&stores),
                what_is_queued_reads_back_equal(&stores),
                an_unknown_owner_is_refused(&stores),
                no_more_is_claimed_than_there_are_slots(&stores),
                a_job_goes_to_one_of_many_claimers(&stores),
                an_owner_never_has_more_leased_than_allowed(&stores),
                a_full_owner_does_not_hold_up_the_others(&stores),
                the_engine_never_has_more_than_its_cap(&stores),
                a_result_is_stored_though_the_engine_is_full(&stores),
                jobs_of_one_owner_come_in_their_order(&stores),
                a_latecomer_does_not_wait_behind_a_crowd(&stores),
                the_living_are_told_from_the_gone(&stores),
                epochs_rise_with_every_claim(&stores),
                a_step_is_kept(&stores),
                a_stale_lease_changes_nothing(&stores),
                a_step_out_of_turn_changes_nothing(&stores),
                a_released_job_keeps_its_place(&stores),
                a_retry_is_counted_and_waits_for_its_time(&stores),
                a_snooze_is_not_counted(&stores),
                a_failure_ends_the_job_and_is_shown(&stores),
                a_completed_job_leaves_its_transcript(&stores),
                a_crowd_of_speakers_holds_nothing_up(&stores),
                a_heartbeat_keeps_a_lease(&stores),
                a_heartbeat_tells_what_is_lost(&stores),
                a_dead_holder_is_relieved(&stores),
                a_job_whose_holders_keep_dying_is_given_up(&stores),
                a_job_past_its_deadline_ends(&stores),
                a_job_that_is_worked_on_outlives_its_deadline(&stores),
                an_engine_that_takes_too_long_is_given_up(&stores),
                what_is_given_up_is_told_with_its_reason(&stores),
                the_next_due_instant_is_told(&stores),
                the_housekeeping_keeps_to_its_limit(&stores),
                a_submission_is_written_down_once(&stores),
                a_refused_submission_makes_room_for_another(&stores),
                a_submission_needs_the_lease(&stores),
                a_submitted_job_waits_without_a_holder(&stores),
                a_waiting_job_is_handed_out_once(&stores),
                an_engine_at_work_is_asked_again_later(&stores),
                a_finished_job_is_claimed_for_storing(&stores),
                a_failed_submission_may_be_followed_by_another(&stores),
                a_final_answer_ends_the_job(&stores),
                an_answer_that_comes_too_late_changes_nothing(&stores),
                a_job_is_canceled_in_every_state(&stores),
                canceling_again_changes_nothing(&stores),
                what_has_ended_is_not_canceled(&stores),
                a_canceled_job_fences_its_holder_off(&stores),
                canceling_puts_the_accepted_copy_down(&stores),
                a_deleted_job_is_gone_and_fences_its_holder_off(&stores),
                deleting_puts_every_copy_down(&stores),
                another_owner_can_neither_cancel_nor_delete(&stores),
                an_erasure_is_handed_out_until_it_is_done(&stores),
                a_copy_is_put_down_once(&stores),
                erasures_are_handed_out_by_engine(&stores),
                an_intent_that_is_open_already_is_returned(&stores),
                a_step_that_was_applied_already_changes_nothing_more(&stores),
                effects_that_do_not_fit_change_nothing(&stores),
                an_engine_names_each_submission_differently(&stores),
                a_submission_is_closed_by_its_own_job(&stores),
                an_adopted_submission_counts_though_another_followed(&stores),
                a_job_without_an_answer_ends_as_unknown_when_its_day_is_over(&stores),
                a_listing_without_a_submission_is_counted(&stores),
                a_submission_is_given_up_and_another_may_follow(&stores),
                what_is_looked_for_is_told_the_oldest_first(&stores),
                a_job_that_ends_gives_its_open_submission_up(&stores),
                a_copy_whose_result_nobody_takes_is_put_down(&stores),
                a_copy_whose_transcript_is_stored_is_put_down_if_asked(&stores),
                a_job_that_lives_adopts_what_was_accepted(&stores),
                an_adoption_gives_an_open_later_one_up(&stores),
                what_was_taken_back_is_followed_by_no_third(&stores),
                an_open_submission_is_adopted(&stores),
                a_job_that_is_held_adopts_nothing(&stores),
                a_copy_that_nobody_needs_is_put_down(&stores),
                what_is_paid_for_twice_is_put_down_and_counted(&stores),
                a_submission_that_has_two_names_is_counted(&stores),
                what_failed_before_is_no_second_payment(&stores),
                a_recorded_copy_is_never_put_down(&stores),
                a_deleted_submission_is_remembered_for_three_days(&stores),
                a_callback_without_a_known_token_is_not_heard(&stores),
                a_callback_makes_a_waiting_job_due(&stores),
                a_callback_wakes_a_job_that_looks_for_its_submission(&stores),
                a_callback_moves_nothing_else(&stores),
                a_hint_for_what_was_given_up_is_kept(&stores),
                progress_is_shown_and_never_falls(&stores),
                progress_needs_the_lease(&stores),
                a_pause_lasts_until_it_is_lifted_and_keeps_its_beginning(&stores),
                an_upload_is_queued_and_reads_back_equal(&stores),
                files_count_while_their_jobs_live(&stores),
                a_file_beyond_the_quota_changes_nothing(&stores),
                a_quota_for_files_is_exact_under_concurrency(&stores),
                a_job_that_is_canceled_while_it_completes_has_one_end(&stores),
                a_job_that_is_canceled_during_a_step_stays_canceled(&stores),
                a_job_that_is_canceled_or_deleted_while_it_is_claimed_is_gone(&stores),
                a_job_that_is_deleted_while_it_is_settled_leaves_its_copy_only(&stores),
                a_job_that_is_deleted_while_it_completes_leaves_its_copy_only(&stores),
                a_job_that_is_canceled_while_its_submission_is_found_leaves_its_copy(&stores),
                a_job_that_is_deleted_while_it_is_submitted_is_remembered(&stores),
                a_step_that_is_said_twice_at_once_is_shown_once(&stores),
                a_step_that_overtakes_another_loses_nothing_of_it(&stores),
                a_step_that_frees_a_job_is_applied_once(&stores),
                an_intent_that_is_told_twice_at_once_is_written_down_once(&stores),
                progress_that_is_told_twice_at_once_never_falls(&stores),
                a_submission_that_two_find_is_adopted_once(&stores),
                a_submission_that_two_find_under_two_names_is_counted(&stores),
                a_job_is_not_claimed_while_its_submission_is_adopted(&stores),
                an_answer_that_two_got_is_taken_once(&stores),
                a_lease_is_prolonged_or_taken_away(&stores),
                a_late_step_is_applied_or_its_job_is_taken_away(&stores),
                a_callback_that_comes_during_the_submission_changes_no_name(&stores),
                a_job_that_is_woken_while_its_time_comes_is_ready_once(&stores),
                jobs_that_become_ready_at_once_have_places_of_their_own(&stores),
                a_waiting_job_is_handed_out_to_one_of_many(&stores),
                jobs_that_are_added_at_once_have_places_of_their_own(&stores),
            ]
        } }
    };
}

/// Makes a module `$name` of tests, one for each promise of
/// [`TranscriptionRepository`](application::ports::TranscriptionRepository). `$fixture` yields
/// [`Stores`](crate::contract::Stores).
#[macro_export]
macro_rules! transcription_repository_contract {
    ($name:ident, $fixture:expr) => {
        $crate::contract_cases! { $name, $fixture, |stores| {
            transcriptions: [
                another_owner_sees_nothing(&stores),
                a_text_is_there_once_it_is_completed(&stores),
                a_list_is_newest_first(&stores),
                pages_meet_without_gap_or_overlap(&stores),
                the_last_page_has_no_next(&stores),
                items_are_passed_over(&stores),
                a_list_is_filtered_by_status(&stores),
                a_list_is_filtered_by_instants(&stores),
                a_count_is_of_all_pages(&stores),
            ]
        } }
    };
}

/// Makes a module `$name` of tests, one for each promise of
/// [`UserRepository`](application::ports::UserRepository). `$fixture` yields a pair: a pointer to
/// the repository, and whatever must live as long.
#[macro_export]
macro_rules! user_repository_contract {
    ($name:ident, $fixture:expr) => {
        $crate::contract_cases! { $name, $fixture, |users| {
            users: [
                an_account_reads_back_equal(&*users.0),
                nobody_is_found_who_is_not_there(&*users.0),
                an_address_has_one_account_however_many_ask(&*users.0),
                a_password_is_replaced(&*users.0),
                a_password_that_changed_meanwhile_is_kept(&*users.0),
            ]
        } }
    };
}

/// Makes a module `$name` of tests, one for each promise of
/// [`RateLimiter`](application::ports::RateLimiter). `$fixture` yields a pair: a pointer to the
/// limiter, and a pointer to its [`TestClock`](crate::contract::TestClock).
#[macro_export]
macro_rules! rate_limiter_contract {
    ($name:ident, $fixture:expr) => {
        $crate::contract_cases! { $name, $fixture, |limiter| {
            limits: [
                a_window_holds_its_quota(&*limiter.0, &*limiter.1),
                a_quota_is_exact_under_concurrency(&*limiter.0, &*limiter.1),
                a_window_opens_with_the_first_call(&*limiter.0, &*limiter.1),
                a_refused_call_does_not_prolong_the_window(&*limiter.0, &*limiter.1),
                keys_and_budgets_are_counted_apart(&*limiter.0, &*limiter.1),
            ]
        } }
    };
}

/// What the other macros are made of.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_cases {
    ($name:ident, $fixture:expr, |$under_test:ident| {
        $($area:ident: [$($case:ident($($argument:expr),*),)*])*
    }) => {
        mod $name {
            use super::*;

            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let $under_test = $fixture.await;
                    $crate::contract::$area::$case($($argument),*).await;
                }
            )*)*
        }
    };
}
