//! How chains are checked, from the options of [`Verification`] to [`Checks`].

use crate::error::{Error, Result};
use crate::opts::Given;
use crate::opts::groups::{VERIFICATION, Verification};
use crate::tcl::Obj;
use crate::x509::chain::Checks;

/// What TLS has its own options for: the name of the peer, and how strong keys must be.
pub(super) const NOT_FOR_TLS: [&str; 4] = [
    "-verify_hostname",
    "-verify_email",
    "-verify_ip",
    "-auth_level",
];

/// The checks that options ask for; `refuse` makes the error for one that can't be carried out.
pub(super) fn checks(given: &Given<Obj>, refuse: impl Fn(&str, String) -> Error) -> Result<Checks> {
    let options: Verification<Obj> = Verification::read(given)?;
    let number = |option: &str, value: Option<i64>, most: i64| {
        let far = |value| refuse(option, format!("{option} {value} is out of range"));
        let inside = |value: i64| match (0..=most).contains(&value) {
            true => i32::try_from(value).map_err(|_| far(value)),
            false => Err(far(value)),
        };
        value.map(inside).transpose()
    };
    let address = |text: String| {
        let bad = |_| refuse("-verify_ip", format!("\"{text}\" isn't an IP address"));
        text.parse().map_err(bad)
    };
    let mut checks = Checks {
        name: options.verify_name,
        time: options.attime,
        depth: number("-verify_depth", options.verify_depth, i64::from(i32::MAX))?,
        level: number("-auth_level", options.auth_level, 5)?,
        purpose: options.purpose,
        policies: given.texts("-policy"),
        host: options.verify_hostname,
        email: options.verify_email,
        address: options.verify_ip.map(address).transpose()?,
        ..Checks::default()
    };
    for setting in given.all() {
        checks.switch_on(setting.spec.name);
    }
    Ok(checks)
}

/// The options as words of `tls::import -verification`.
pub(super) fn words(given: &Given<Obj>) -> Vec<Obj> {
    let concerns = |name: &str| {
        VERIFICATION.iter().any(|spec| spec.name == name) && !NOT_FOR_TLS.contains(&name)
    };
    let mut words = Vec::new();
    for setting in given.all().filter(|setting| concerns(setting.spec.name)) {
        words.push(Obj::text(setting.spec.name));
        words.extend(setting.value.clone());
    }
    words
}
