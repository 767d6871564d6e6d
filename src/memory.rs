//! How much memory there is, and how sizes are written.

use std::fs;

const MIB: u64 = 1024 * 1024;
/// The least that bodies and answers may take: two of the largest, and some small ones.
pub const LEAST_BYTES: u64 = 16 * MIB;
/// The most that they take unless it is set.
pub const DEFAULT_BYTES: u64 = 512 * MIB;
/// They may take one such part of the memory.
const PART: u64 = 4;

/// A size as it is typed: `512M`, `2G`.
pub fn size(text: &str) -> Result<u64, &'static str> {
    const EXPECTED: &str = "expected a size from 16M on, such as 512M or 2G";
    let text = text.trim().to_ascii_uppercase();
    let text = text.strip_suffix("IB").or_else(|| text.strip_suffix('B')).unwrap_or(&text);
    let (digits, unit) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((digits, "K")) => (digits, 1024),
        Some((digits, "M")) => (digits, MIB),
        Some((digits, "G")) => (digits, 1024 * MIB),
        _ => (text, 1),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let size = digits.parse::<u64>().ok().filter(|_| is_number).and_then(|number| number.checked_mul(unit));
    size.filter(|size| (LEAST_BYTES..=i64::MAX.unsigned_abs()).contains(size)).ok_or(EXPECTED)
}

/// What bodies and answers may take on this machine, or in this container.
pub fn share() -> u64 {
    share_of(available(|path| fs::read_to_string(path).ok()))
}

fn share_of(available: Option<u64>) -> u64 {
    available.map_or(DEFAULT_BYTES, |bytes| (bytes / PART).clamp(LEAST_BYTES, DEFAULT_BYTES))
}

/// The memory that this process may take: the machine's, or less if a control group of Linux has a limit. `read`
/// returns the text of a file. `None` if none of them can be read.
fn available(read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let machine = read("/proc/meminfo").as_deref().and_then(total);
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().flat_map(limit_files).filter_map(|file| read(&file)?.trim().parse().ok());
    limits.chain(machine).min()
}

/// `MemTotal` in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix("kB")?;
    kib.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The files that may have the limit of a group, which is a line of `/proc/self/cgroup`, and of its parents. In a
/// container the group's own path may be missing, and the root is its own.
fn limit_files(group: &str) -> Vec<String> {
    let mut fields = group.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    let (root, name) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|it| it == "memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        _ => return Vec::new(),
    };
    let mut path = path.trim_end_matches('/');
    let mut files = Vec::new();
    loop {
        files.push(format!("{root}{path}/{name}"));
        match path.rfind('/') {
            Some(end) => path = &path[..end],
            None => return files,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        for (text, bytes) in [
            ("16M", 16 * MIB),
            ("512m", 512 * MIB),
            ("2G", 2048 * MIB),
            (" 64MiB ", 64 * MIB),
            ("20000KB", 20_000 * 1024),
            ("16777216", 16 * MIB),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "15M", "1", "-1G", "+64M", "1.5G", "64 M", "64X", "99999999999G", "18446744073709551615"]
        {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_container_has_what_its_group_may_take() {
        let meminfo = ("/proc/meminfo", "MemTotal:        8000000 kB\nMemFree:  1000 kB\n");
        let of = |files: &[(&str, &str)]| {
            available(|path| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned()))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[meminfo]), Some(8_000_000 * 1024));
        let second = ("/proc/self/cgroup", "0::/system.slice/bulkd.service\n");
        let own = "/sys/fs/cgroup/system.slice/bulkd.service/memory.max";
        assert_eq!(of(&[meminfo, second, (own, "268435456\n")]), Some(256 * MIB));
        assert_eq!(of(&[meminfo, second, (own, "max\n")]), Some(8_000_000 * 1024));
        let around = ("/sys/fs/cgroup/system.slice/memory.max", "134217728\n");
        assert_eq!(of(&[meminfo, second, (own, "268435456\n"), around]), Some(128 * MIB));
        // In a container the path is the host's, or only a slash.
        assert_eq!(of(&[meminfo, second, ("/sys/fs/cgroup/memory.max", "67108864\n")]), Some(64 * MIB));
        let root = ("/proc/self/cgroup", "0::/\n");
        assert_eq!(of(&[meminfo, root, ("/sys/fs/cgroup/memory.max", "67108864\n")]), Some(64 * MIB));
        let first = ("/proc/self/cgroup", "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n");
        let limit = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
        assert_eq!(of(&[meminfo, first, limit]), Some(512 * MIB));
        let none = ("/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(of(&[meminfo, first, none]), Some(8_000_000 * 1024));
    }

    #[test]
    fn bodies_and_answers_may_take_a_quarter() {
        assert_eq!(share_of(None), 512 * MIB);
        assert_eq!(share_of(Some(64 * 1024 * MIB)), 512 * MIB);
        assert_eq!(share_of(Some(1024 * MIB)), 256 * MIB);
        assert_eq!(share_of(Some(32 * MIB)), 16 * MIB);
    }
}
