//! The names of PKIStatus and of failure information, as RFC 9810 has them (pure).

/// The states, by number.
const STATES: &[&str] = &[
    "accepted",
    "grantedWithMods",
    "rejection",
    "waiting",
    "revocationWarning",
    "revocationNotification",
    "keyUpdateWarning",
];

/// The reasons for a failure, by bit.
const FAILURES: &[&str] = &[
    "badAlg",
    "badMessageCheck",
    "badRequest",
    "badTime",
    "badCertId",
    "badDataFormat",
    "wrongAuthority",
    "incorrectData",
    "missingTimeStamp",
    "badPOP",
    "certRevoked",
    "certConfirmed",
    "wrongIntegrity",
    "badRecipientNonce",
    "timeNotAvailable",
    "unacceptedPolicy",
    "unacceptedExtension",
    "addInfoNotAvailable",
    "badSenderNonce",
    "badCertTemplate",
    "signerNotTrusted",
    "transactionIdInUse",
    "unsupportedVersion",
    "notAuthorized",
    "systemUnavail",
    "systemFailure",
    "duplicateCertReq",
];

/// How many reasons for a failure there are.
pub(crate) const FAILURE_COUNT: usize = FAILURES.len();

/// How many states there are.
pub(crate) const STATE_COUNT: usize = STATES.len();

/// The name of a state; empty for a number that isn't one, as before the first answer.
pub(crate) fn state(number: i32) -> &'static str {
    usize::try_from(number)
        .ok()
        .and_then(|number| STATES.get(number))
        .copied()
        .unwrap_or_default()
}

/// The names of the reasons whose bits are set.
pub(crate) fn failures(bits: u32) -> Vec<String> {
    let names = FAILURES.iter().enumerate();
    names
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, name)| (*name).to_owned())
        .collect()
}

/// The bits of the reasons with these names; `None` if one isn't known.
pub(crate) fn bits(names: &[String]) -> Option<u32> {
    names.iter().try_fold(0, |bits, name| {
        let bit = FAILURES.iter().position(|known| known == name)?;
        Some(bits | 1 << bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_failures_have_names() {
        assert_eq!(state(0), "accepted");
        assert_eq!(state(6), "keyUpdateWarning");
        assert_eq!(state(7), "");
        assert_eq!(state(-3), "");
        assert_eq!(failures(0b101), ["badAlg", "badRequest"]);
        assert_eq!(failures(1 << 26), ["duplicateCertReq"]);
        assert_eq!(bits(&failures(0b101)), Some(0b101));
        assert_eq!(bits(&["nothing".to_owned()]), None);
        assert_eq!(FAILURE_COUNT, 27);
        assert_eq!(STATE_COUNT, 7);
    }
}
