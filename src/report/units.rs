//! Numbers, sizes and times as people read them.

use std::time::Duration;

/// A number with separators.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many of what.
pub(super) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A size.
pub(super) fn bytes(bytes: usize) -> String {
    let mut size = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        // What would be shown as 1024.0 is one of the next.
        if size < 1023.95 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") }
}

/// How long something has lasted, in its largest unit that is at least two.
pub(super) fn age(age: Option<Duration>) -> String {
    let Some(age) = age else {
        return "?".into();
    };
    let seconds = age.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A part of a whole.
pub(super) fn share(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_separated_and_sizes_and_ages_have_the_unit_that_fits() {
        assert_eq!(
            [0_u64, 999, 1_000, 12_345_678].map(count),
            ["0", "999", "1,000", "12,345,678"].map(str::to_owned)
        );
        assert_eq!((counted(1, "handle"), counted(2, "handle")), ("1 handle".into(), "2 handles".into()));
        assert_eq!(
            [0, 1023, 1024, 1536, (1 << 20) - 1, 1 << 20, 3 << 30].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 MiB", "3.0 GiB"].map(str::to_owned)
        );
        let ages = [0, 119, 120, 7_199, 7_200, 172_799, 172_800, 8_640_000];
        assert_eq!(
            ages.map(|seconds| age(Some(Duration::from_secs(seconds)))),
            ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d", "100 d"].map(str::to_owned)
        );
        assert_eq!((age(None), share(0.5)), ("?".into(), "50.0%".into()));
    }
}
