//! `bulkd doctor`: a client of a running daemon, which says what would hurt at Courier.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use crate::cli::Doctor;
use crate::error::{Error, Result};
use crate::findings::Level;
use crate::output::LineOutput;
use crate::tls;

/// How long the daemon may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The exit code if there is a finding as bad as `--fail-on` says.
const FOUND: u8 = 3;

/// Prints the findings. The exit code tells whether one is as bad as `--fail-on` says.
pub fn run(flags: &Doctor, out: &LineOutput) -> Result<ExitCode> {
    let found = ask(flags)?;
    let items = found["items"].as_array().map_or(&[][..], Vec::as_slice);
    for item in items {
        print(item, out);
    }
    out.say(format_args!("doctor: {}", found["summary"].as_str().unwrap_or_default()));
    let level = |name: &str| Level::NAMES.iter().find(|(known, _)| *known == name).map(|(_, level)| *level);
    let worst = found["worst"].as_str().and_then(level);
    let fails = flags.fail_on.as_deref().and_then(level).is_some_and(|least| worst.is_some_and(|it| it >= least));
    Ok(if fails { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

fn ask(flags: &Doctor) -> Result<Value> {
    let url = format!("{}/_bulkd/doctor", flags.url.trim_end_matches('/'));
    // The daemon is not behind a proxy, whatever the environment names.
    let agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(PATIENCE));
    let is_https = flags.url.starts_with("https://");
    let agent = match is_https {
        true => tls::trust(agent, "--ca", flags.ca.as_deref())?,
        false => agent,
    };
    let agent = agent.build().new_agent();
    let failed = |error: &dyn std::fmt::Display| Error::startup(format!("GET {url}: {error}"));
    let asked = agent.get(&url).header("Authorization", format!("Bearer {}", flags.api_key)).call();
    let mut answer = asked.map_err(|error| match is_https && flags.ca.is_none() {
        true => failed(&format_args!("{error}; name the authority of a daemon that made its certificate with --ca")),
        false => failed(&error),
    })?;
    let status = answer.status().as_u16();
    let body: Value = answer.body_mut().read_json().map_err(|error| failed(&error))?;
    if status != 200 {
        return Err(failed(&format_args!("{status} {}", body["message"].as_str().unwrap_or_default())));
    }
    Ok(body)
}

fn print(item: &Value, out: &LineOutput) {
    let text = |name: &str| item[name].as_str().unwrap_or_default();
    out.say(format_args!("{:<5} {}: {} ({})", text("level"), text("check"), text("title"), item["count"]));
    for seen in item["seen"].as_array().into_iter().flatten() {
        let request = seen["request"].as_str().map(|it| format!(" [{it}]")).unwrap_or_default();
        out.say(format_args!("        {}{request}", seen["what"].as_str().unwrap_or_default()));
    }
    for (name, label) in [("why", "why"), ("advice", "do"), ("page", "see")] {
        out.say(format_args!("      {label}: {}", text(name)));
    }
    out.say("");
}
