//! A table of addresses, and loops over all of Unicode.

use unicode_normalization::UnicodeNormalization;

use super::*;

fn key(text: &str) -> Option<String> {
    EmailAddress::parse(text)
        .ok()
        .map(|email| email.key().to_owned())
}

#[test]
fn valid_addresses_have_these_keys() {
    for (text, expected) in [
        ("ada@example.com", "ada@example.com"),
        (" Ada+Notes@Example.COM\n", "ada+notes@example.com"),
        ("ada@localhost", "ada@localhost"),
        ("ada@r3---sn.example", "ada@r3---sn.example"),
        ("ÄdA@Bücher.example", "Äda@xn--bcher-kva.example"),
        ("ada@BüCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@XN--Bcher-KVA.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@νος.example", "ada@xn--yxaej.example"),
        ("ada@νοσ.example", "ada@xn--yxaem.example"),
        ("ada@中国", "ada@xn--fiqs8s"),
        ("İdil@example.com", "İdil@example.com"),
        ("ſam@example.com", "ſam@example.com"),
        ("ada@gi\u{307}t.example", "ada@xn--git-9dc.example"),
    ] {
        assert_eq!(key(text).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn invalid_addresses_say_why() {
    use InvalidEmail::{Blank, Domain, Malformed, NotNormalized, TooLong};
    let (long, long_label) = (format!("{}@b", "a".repeat(254)), "b".repeat(64));
    let long_key = format!("{}@{}", "a".repeat(200), "ü.".repeat(8) + "de");
    for (text, expected) in [
        ("", Blank),
        (" \t\u{3000}", Blank),
        (&long, TooLong),
        (&long_key, TooLong),
        ("ada", Malformed),
        ("@example.com", Malformed),
        ("ada@home@example.com", Malformed),
        ("ada lovelace@example.com", Malformed),
        ("ada\u{7}@example.com", Malformed),
        ("ada\0@example.com", Malformed),
        ("ada@example\u{85}.com", Malformed),
        ("zoe\u{301}@example.com", NotNormalized),
        ("\u{212A}im@example.com", NotNormalized),
        ("H\u{331}@example.com", NotNormalized),
        ("I\u{307}@example.com", NotNormalized),
        ("ada@", Domain),
        ("ada@.example.com", Domain),
        ("ada@example.com.", Domain),
        ("ada@example..com", Domain),
        ("ada@-example.com", Domain),
        ("ada@exam_ple.com", Domain),
        ("ada@[192.0.2.1]", Domain),
        ("ada@example,eve", Domain),
        (&format!("ada@{long_label}.example"), Domain),
        ("ada@gİt.example", Domain),
        ("ada@\u{212A}iosk.example", Domain),
        ("ada@ſhop.example", Domain),
        ("ada@BÜCHER.example", Domain),
        ("ada@ﬁn.example", Domain),
        ("ada@ｗide.example", Domain),
        ("ada@cafe\u{301}.example", Domain),
        ("ada@dot\u{3002}example", Domain),
        ("ada@so\u{AD}ft.example", Domain),
        ("ada@xn--gthub-h4a.example", Domain),
        ("ada@xn--a.example", Domain),
        ("ada@xn--ada-.example", Domain),
        ("ada@xn--.example", Domain),
    ] {
        assert_eq!(EmailAddress::parse(text).err(), Some(expected), "{text:?}");
        let refusal = expected.refusal("email");
        assert!(refusal.message.starts_with("email must "), "{refusal:?}");
    }
    for text in [" ada@example.com", "ada@example.com\n"] {
        assert_eq!(EmailAddress::exactly(text).err(), Some(Malformed));
    }
}

#[test]
fn lengths_are_measured_in_characters() {
    let longest = format!("{}@b", "ä".repeat(253));
    assert_eq!(key(&longest).as_deref(), Some(longest.as_str()));
}

#[test]
fn mail_goes_to_the_typed_mailbox_at_an_ascii_domain() {
    for (text, expected) in [
        ("Ädä@BüCHER.Example", "Ädä@xn--bcher-kva.example"),
        ("Ada@Example.com", "Ada@example.com"),
    ] {
        let email = EmailAddress::parse(text).expect("it is valid");
        assert_eq!(email.recipient(), expected);
        assert_eq!(
            email.recipient().to_ascii_lowercase(),
            email.key().to_ascii_lowercase()
        );
        assert_eq!(email.as_str(), text);
    }
}

#[test]
fn an_address_is_canonical_in_any_ascii_case_with_its_domain_in_ascii() {
    for (text, expected) in [
        ("aDA@eXAMPLE.com", true),
        ("Ädä@xn--BCHER-kva.example", true),
        ("ada@bücher.example", false),
        ("ada@straße.example", false),
    ] {
        let email = EmailAddress::parse(text).expect("it is valid");
        assert_eq!(email.is_canonical(), expected, "{text}");
    }
}

/// All characters of the planes that have any that a mapping changes or IDNA ignores.
fn characters() -> impl Iterator<Item = char> {
    ('!'..='\u{323AF}').chain('\u{E0000}'..='\u{E0FFF}')
}

/// Those that some mapping turns into something with an ASCII letter, digit or dot.
fn mapped_to_ascii() -> impl Iterator<Item = char> {
    characters().filter(|character| {
        if character.is_ascii() {
            return false;
        }
        let text = character.to_string();
        let mapped = [
            text.to_lowercase(),
            text.to_uppercase(),
            text.nfkc().collect(),
            text.nfkd().collect(),
            text.to_lowercase().nfkd().collect(),
        ];
        let ascii = |character: char| character.is_ascii_alphanumeric() || character == '.';
        mapped.iter().any(|mapped| mapped.contains(ascii))
    })
}

#[test]
fn no_character_that_a_mapping_turns_into_ascii_has_the_key_of_an_ascii_address() {
    let mut count = 0;
    for character in mapped_to_ascii() {
        count += 1;
        for text in [
            format!("a{character}b@example.com"),
            format!("{character}@example.com"),
            format!("ada@a{character}b.example"),
            format!("ada@{character}.example"),
            format!("ada@example{character}com"),
        ] {
            let Some(key) = key(&text) else { continue };
            let is_alone = !key.is_ascii() || key.contains("xn--");
            assert!(is_alone, "{text}: {key}");
        }
    }
    assert!(count > 1000, "{count} characters");
}

/// Every character that some mapping changes and many others, alone and before a combining mark, in either part.
fn samples() -> impl Iterator<Item = String> {
    let mapped = |character: char| {
        let text = character.to_string();
        text.to_lowercase() != text || text.to_uppercase() != text || text.nfkc().ne([character])
    };
    let others = |character: char| u32::from(character) % 31 == 0;
    let characters = characters().filter(move |character| mapped(*character) || others(*character));
    characters.flat_map(|character| {
        [
            format!("{character}@example.com"),
            format!("{character}\u{307}@example.com"),
            format!("{character}\u{331}@example.com"),
            format!("ada@a{character}b.example"),
            format!("ada@a{character}\u{301}b.example"),
        ]
    })
}

#[test]
fn a_key_is_valid_is_its_own_key_and_differs_from_its_address_by_ascii_case_and_punycode_only() {
    let mut valid = 0;
    for text in samples() {
        let Ok(email) = EmailAddress::parse(&text) else {
            continue;
        };
        valid += 1;
        let again = EmailAddress::parse(email.key()).expect("a key is an address");
        assert_eq!(again.key(), email.key(), "{text}");
        assert!(again.is_canonical(), "{text}");
        let shown: Vec<String> = email.domain().split('.').map(unicode).collect();
        let (local, _) = email.key().split_once('@').expect("it has both parts");
        let shown = format!("{local}@{}", shown.join("."));
        assert!(shown.eq_ignore_ascii_case(text.trim()), "{text}: {shown}");
    }
    assert!(valid > 50_000, "{valid} are valid");
}

#[test]
fn upper_and_lower_case_in_ascii_never_differ_in_validity_or_key() {
    for text in samples() {
        let keys = [text.to_ascii_uppercase(), text.to_ascii_lowercase()].map(|text| key(&text));
        // Where only one of the two is in NFC, neither may be valid.
        let typed = key(&text);
        assert!(
            typed.is_none() || keys.iter().all(|other| other.is_none() || *other == typed),
            "{text}: {keys:?}"
        );
    }
}
