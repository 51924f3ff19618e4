//! What `run` sets up, where somebody else sets something up just then.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

/// Installs a package with an `apt-get` that answers as this line of shell does, and without waiting; what was said, and the calls.
fn install(test: &str, answer: &str) -> (Output, String) {
    let folder = std::env::temp_dir().join(format!("vitrine-setup-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let tool = |name: &str, body: &str| {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let calls = folder.join("calls");
    tool("apt-get", &format!("echo \"$*\" >>'{0}'\nn=$(wc -l <'{0}')\n{answer}", calls.display()));
    tool("dpkg-query", "exit 1");
    tool("id", "echo 0");
    tool("sleep", ":");
    let script =
        format!("set -eu; . ./web/setup.sh; PATH='{}':$PATH; need_packages test nothing", folder.display());
    let mut command = Command::new("sh");
    let output = command.args(["-c", &script]).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let calls = fs::read_to_string(calls).unwrap();
    fs::remove_dir_all(folder).unwrap();
    (output, calls)
}

const LOCKED: &str =
    "echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)' >&2; exit 100";

#[test]
fn another_apt_is_waited_for() {
    let (output, calls) = install("waits", &format!("[ $n -gt 3 ] || {{ {LOCKED}; }}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("another apt is at work").count(), 1, "{said}");
    assert_eq!(calls.matches("update").count(), 4, "{calls}");
    let last = calls.lines().last().unwrap();
    assert!(last.contains("DPkg::Lock::Timeout=300") && last.ends_with("nothing"), "{calls}");
}

#[test]
fn what_waiting_does_not_help_is_said_at_once() {
    let (output, calls) = install("fails", "echo 'E: no network' >&2; exit 100");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("E: no network"));
    assert_eq!(calls.lines().count(), 1, "{calls}");
    let (output, calls) = install("forever", LOCKED);
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("Could not get lock")
    );
    assert_eq!(calls.lines().count(), 60, "five minutes of it");
}
