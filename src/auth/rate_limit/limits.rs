//! The rate of each limit.

use std::{fmt, str::FromStr, time::Duration};

/// A rate such as `5/h` or `10/15m`, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(Option<Rate>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    times: i32,
    /// Milliseconds.
    period: i32,
}

/// The units of periods, from the shortest, in milliseconds.
const UNITS: [(&str, i32); 4] = [
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

impl Limit {
    /// No limit.
    pub const OFF: Limit = Limit(None);

    /// The limit with so many times the number in the same period.
    pub(super) fn times(self, factor: i32) -> Limit {
        Limit(self.0.map(|rate| Rate {
            times: rate.times.saturating_mul(factor),
            ..rate
        }))
    }

    /// The number per period, and the period. `None` if there is no limit.
    pub fn rate(self) -> Option<(u32, Duration)> {
        let Rate { times, period } = self.0?;
        let period = u64::try_from(period).unwrap_or_default();
        Some((times.unsigned_abs(), Duration::from_millis(period)))
    }

    /// The number of tokens, and the milliseconds after which one is added. `None` if there is no limit.
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
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, unit) = *known.ok_or_else(wrong)?;
        let whole = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse::<i32>().ok().filter(|number| *number > 0),
            false => None,
        };
        let count = if count.is_empty() { "1" } else { count };
        let count = whole(count).ok_or_else(wrong)?;
        let period = count.checked_mul(unit);
        let period = period
            .filter(|period| *period <= 7 * 86_400_000)
            .ok_or_else(|| "the period of a limit must be at most a week".to_owned())?;
        let times = whole(times).filter(|times| *times <= 1_000_000);
        Ok(Limit(Some(Rate {
            times: times.ok_or_else(wrong)?,
            period,
        })))
    }
}

impl fmt::Display for Limit {
    /// As it is written: `10/15m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Rate { times, period }) = self.0 else {
            return f.write_str("off");
        };
        let units = UNITS.iter().rev();
        let (unit, length) = units
            .copied()
            .find(|(_, length)| period % length == 0)
            .unwrap_or(("ms", 1));
        match period / length {
            1 => write!(f, "{times}/{unit}"),
            count => write!(f, "{times}/{count}{unit}"),
        }
    }
}

/// The rate limits. Each has its own setting.
#[derive(Debug, Clone)]
pub struct RateLimitSettings {
    /// Attempts to sign in to one account from one network, and to confirm a password.
    pub sign_in: Limit,
    /// Attempts to sign in from one network, to any account.
    pub sign_in_address: Limit,
    /// Attempts to sign in to one account from networks where no session of it was used in the last 90 days. Also
    /// attempts to confirm a password in one session.
    pub sign_in_account: Limit,
    /// New users from one network. Five times as many attempts are allowed.
    pub sign_up: Limit,
    /// Requests for a password reset, and attempts to use its token, from one network.
    pub password_reset: Limit,
    /// Requests to change the email address of one account.
    pub email_change: Limit,
    /// Exports of one account.
    pub export: Limit,
    /// Refreshes of one session.
    pub refresh: Limit,
    /// Refreshes from one network, of any session.
    pub refresh_address: Limit,
    /// Mails that strangers can cause, per recipient. Password resets count separately from all other kinds.
    pub mail: Limit,
    /// Whether `sign_up` does not apply to clients on this machine. All other limits always apply, because a proxy that
    /// adds no header makes each of its clients look local.
    pub exempt_local_sign_ups: bool,
}

impl RateLimitSettings {
    /// No limits.
    pub const OFF: RateLimitSettings = RateLimitSettings {
        sign_in: Limit::OFF,
        sign_in_address: Limit::OFF,
        sign_in_account: Limit::OFF,
        sign_up: Limit::OFF,
        password_reset: Limit::OFF,
        email_change: Limit::OFF,
        export: Limit::OFF,
        refresh: Limit::OFF,
        refresh_address: Limit::OFF,
        mail: Limit::OFF,
        exempt_local_sign_ups: false,
    };
}

impl fmt::Display for RateLimitSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RateLimitSettings {
            sign_in,
            sign_in_address,
            sign_in_account,
            sign_up,
            password_reset,
            email_change,
            export,
            refresh,
            refresh_address,
            mail,
            exempt_local_sign_ups,
        } = self;
        let exempt = match exempt_local_sign_ups {
            true => " (not on this machine)",
            false => "",
        };
        write!(
            f,
            "sign_in {sign_in}, sign_in_address {sign_in_address}, sign_in_account {sign_in_account}, \
             sign_up {sign_up}{exempt}, password_reset {password_reset}, email_change {email_change}, \
             export {export}, refresh {refresh}, refresh_address {refresh_address}, mail {mail}"
        )
    }
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
        let rate = |text: &str| text.parse::<Limit>().map(Limit::rate);
        assert_eq!(rate("off"), Ok(None));
        assert_eq!(rate("10/15m"), Ok(Some((10, Duration::from_secs(900)))));
        let five_times = "60/h".parse::<Limit>().map(|limit| limit.times(5).bucket());
        assert_eq!(five_times, Ok(Some((300, 12_000))));
        for written in ["off", "5/h", "10/15m", "1000/s", "1/2d", "90/7d", "7/61s"] {
            let limit = written.parse::<Limit>().expect(written);
            assert_eq!(limit.to_string(), written);
        }
        assert_eq!(
            "3/60m".parse().map(|limit: Limit| limit.to_string()),
            Ok("3/h".to_owned())
        );
        for bad in [
            "", "5", "/h", "5/", "0/h", "-1/h", "5/0h", "5/y", "5/8d", "x/h", "5/h/h", "+5/h",
            "5/é",
        ] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
        for (bad, said) in [
            ("3/0m", "write a limit as"),
            ("3 / h", "write a limit as"),
            ("3/x5m", "write a limit as"),
            ("3/8d", "at most a week"),
            ("3/99999999d", "at most a week"),
        ] {
            let message = bad.parse::<Limit>().expect_err(bad);
            assert!(message.contains(said), "{bad}: {message}");
        }
    }
}
