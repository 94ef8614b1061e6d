//! What may be tried how often: a rate for each limit.

use std::str::FromStr;

/// How often something may be done: `5/h`, `10/15m`, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(Option<Rate>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    times: i32,
    /// Milliseconds.
    period: i32,
}

impl Limit {
    /// As often as one likes.
    pub const OFF: Limit = Limit(None);

    /// Tokens, and the milliseconds after which one comes back; `None` if there is no limit.
    pub(super) fn bucket(self) -> Option<(i32, i32)> {
        self.0
            .map(|rate| (rate.times, (rate.period / rate.times).max(1)))
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a limit as 5/h, 10/15m, 100/d or off".to_owned();
        if text == "off" {
            return Ok(Limit::OFF);
        }
        let (times, period) = text.split_once('/').ok_or_else(wrong)?;
        let unit_at = period.len().checked_sub(1).ok_or_else(wrong)?;
        let (count, unit) = period.split_at_checked(unit_at).ok_or_else(wrong)?;
        let unit = match unit {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let whole = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse::<i32>().ok().filter(|number| *number > 0),
            false => None,
        };
        let count = if count.is_empty() {
            Some(1)
        } else {
            whole(count)
        };
        let period = count
            .and_then(|count| count.checked_mul(unit))
            .filter(|period| *period <= 7 * 86_400_000)
            .ok_or_else(|| "a limit's period must be a week at most".to_owned())?;
        let times = whole(times).filter(|times| *times <= 1_000_000);
        Ok(Limit(Some(Rate {
            times: times.ok_or_else(wrong)?,
            period,
        })))
    }
}

/// How often each thing may be tried. Each has a setting of its own.
#[derive(Debug, Clone)]
pub struct ThrottleSettings {
    /// Signing in to one account from one address, and confirming a password.
    pub sign_in: Limit,
    /// Signing in from one address, to whatever accounts.
    pub sign_in_address: Limit,
    /// Signing in to one account, from addresses without a session there that was used in 90 days; and confirming a
    /// password in one session.
    pub sign_in_account: Limit,
    /// Signing up from one address.
    pub sign_up: Limit,
    /// Asking for a password's reset, and using its token, from one address.
    pub password_reset: Limit,
    /// Asking for a change of address, by one account.
    pub email_change: Limit,
    /// Refreshing one session.
    pub refresh: Limit,
    /// Refreshing from one address, whatever sessions.
    pub refresh_address: Limit,
    /// Mails that a stranger can cause, to one recipient: to reset a password, and of all other kinds.
    pub mail: Limit,
}

impl ThrottleSettings {
    /// No limits at all.
    pub const OFF: ThrottleSettings = ThrottleSettings {
        sign_in: Limit::OFF,
        sign_in_address: Limit::OFF,
        sign_in_account: Limit::OFF,
        sign_up: Limit::OFF,
        password_reset: Limit::OFF,
        email_change: Limit::OFF,
        refresh: Limit::OFF,
        refresh_address: Limit::OFF,
        mail: Limit::OFF,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_a_rate_or_off() {
        let bucket = |text: &str| text.parse::<Limit>().map(Limit::bucket);
        assert_eq!(bucket("off"), Ok(None));
        assert_eq!(bucket("5/h"), Ok(Some((5, 720_000))));
        assert_eq!(bucket("10/15m"), Ok(Some((10, 90_000))));
        assert_eq!(bucket("1000/s"), Ok(Some((1000, 1))));
        for bad in [
            "", "5", "/h", "5/", "0/h", "-1/h", "5/0h", "5/y", "5/8d", "x/h", "5/h/h", "+5/h",
            "5/é",
        ] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }
}
