//! The daemon's own metrics.

use crate::support::{Daemon, newsletter, readers};

/// The value of a sample, by its whole name.
#[track_caller]
fn sample(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("there is no {name} in\n{text}")).parse().unwrap()
}

#[test]
fn requests_commits_and_messages_are_counted() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let metrics = || {
        let answer = customer.without_key().get("/_bulkd/metrics");
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text
    };
    let before = metrics();
    assert_eq!(sample(&before, "bulkd_messages_total"), 0.0);
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 30));
    customer.run_to_the_end(&job_id);
    customer.get("/nowhere").refused(404);
    let after = metrics();
    for (name, expected) in [
        ("bulkd_requests_total{method=\"POST\",route=\"/bulk\",status=\"201\"}", 1.0),
        ("bulkd_requests_total{method=\"POST\",route=\"/bulk/{job_id}/run\",status=\"202\"}", 1.0),
        ("bulkd_requests_total{method=\"\",route=\"none\",status=\"404\"}", 1.0),
        ("bulkd_request_duration_seconds_count{method=\"POST\",route=\"/bulk\"}", 1.0),
        ("bulkd_request_duration_seconds_bucket{method=\"POST\",route=\"/bulk\",le=\"+Inf\"}", 1.0),
        ("bulkd_users_total", 30.0),
        ("bulkd_messages_total", 30.0),
        ("bulkd_jobs_processing", 0.0),
        ("bulkd_users_waiting", 0.0),
        ("bulkd_event_streams", 0.0),
    ] {
        assert_eq!(sample(&after, name), expected, "{name}");
    }
    assert!(
        sample(&after, "bulkd_commit_duration_seconds_count") > sample(&before, "bulkd_commit_duration_seconds_count")
    );
    assert!(sample(&after, "bulkd_log_bytes") > 0.0);
    // Every sample is of a family that was announced.
    let families: Vec<&str> =
        after.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for line in after.lines().filter(|line| !line.starts_with('#')) {
        assert!(families.iter().any(|family| line.starts_with(family)), "{line}");
    }
}
