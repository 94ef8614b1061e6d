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
        (
            "a.b!#$%&'*+-/=?^_`{|}~@x.example",
            "a.b!#$%&'*+-/=?^_`{|}~@x.example",
        ),
        ("ada@localhost", "ada@localhost"),
        ("ada@1and1.example", "ada@1and1.example"),
        ("ada@r3---sn.example", "ada@r3---sn.example"),
        ("ÄdA@Bücher.example", "Äda@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@XN--Bcher-KVA.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@νος.example", "ada@xn--yxaej.example"),
        ("ada@νοσ.example", "ada@xn--yxaem.example"),
        ("ada@中国", "ada@xn--fiqs8s"),
        ("संपर्क@डाटामेल.भारत", "संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c"),
        ("İdil@example.com", "İdil@example.com"),
        ("I\u{307}dil@example.com", "İdil@example.com"),
        ("ſam@example.com", "ſam@example.com"),
        ("zoe\u{301}@example.com", "zoé@example.com"),
        ("\u{212A}im@example.com", "kim@example.com"),
        ("H\u{331}@example.com", "\u{1E96}@example.com"),
        ("h\u{331}@example.com", "\u{1E96}@example.com"),
        ("ada@gi\u{307}t.example", "ada@xn--git-9dc.example"),
        ("ada@gİt.example", "ada@xn--git-9dc.example"),
        ("ada@\u{212A}iosk.example", "ada@kiosk.example"),
        ("ada@ſhop.example", "ada@shop.example"),
        ("ada@ﬁn.example", "ada@fin.example"),
        ("ada@ｗide.example", "ada@wide.example"),
        ("ada@cafe\u{301}.example", "ada@xn--caf-dma.example"),
        ("ada@dot\u{3002}example", "ada@dot.example"),
        ("ada@so\u{AD}ft.example", "ada@soft.example"),
    ] {
        assert_eq!(key(text).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn invalid_addresses_say_why() {
    use InvalidEmail::{Blank, Domain, LocalPart, Malformed, TooLong};
    let (long, long_label) = (format!("{}@b", "a".repeat(253)), "b".repeat(64));
    let (long_local, marked) = ("a".repeat(65), "e\u{301}".repeat(33));
    let long_key = format!("{}@{}de", "a".repeat(64), "büc.".repeat(20));
    for (text, expected) in [
        ("", Blank),
        (" \t\u{3000}", Blank),
        ("\u{200B}\u{2066}", Blank),
        (&long, TooLong),
        (&long_key, TooLong),
        ("ada", Malformed),
        ("ada@home@example.com", Malformed),
        ("\"ada@home\"@example.com", Malformed),
        ("ada lovelace@example.com", Malformed),
        ("ada\u{7}@example.com", Malformed),
        ("ada\0@example.com", Malformed),
        ("ada@example\u{85}.com", Malformed),
        ("@example.com", LocalPart),
        (&format!("{long_local}@example.com"), LocalPart),
        (&format!("{marked}@example.com"), LocalPart),
        (".ada@example.com", LocalPart),
        ("ada.@example.com", LocalPart),
        ("ada..l@example.com", LocalPart),
        ("\"ada\"@example.com", LocalPart),
        ("\"\"@example.com", LocalPart),
        ("<ada@example.com", LocalPart),
        ("ada,eve@example.com", LocalPart),
        ("ada(home)@example.com", LocalPart),
        ("ada\\eve@example.com", LocalPart),
        ("[ada]@example.com", LocalPart),
        ("mailto:ada@example.com", LocalPart),
        ("ada\u{202E}eve@example.com", LocalPart),
        ("ada\u{200D}@example.com", LocalPart),
        ("\u{FEFF}ada@example.com", LocalPart),
        ("ada\u{3164}@example.com", LocalPart),
        ("ada\u{37E}@example.com", LocalPart),
        ("ada🙂@example.com", LocalPart),
        ("ada\u{E000}@example.com", LocalPart),
        ("ada@", Domain),
        ("ada@.example.com", Domain),
        ("ada@example.com.", Domain),
        ("ada@example..com", Domain),
        ("ada@-example.com", Domain),
        ("ada@exam_ple.com", Domain),
        ("<ada>@example.com>", LocalPart),
        ("ada@example.com>", Domain),
        ("ada@[192.0.2.1]", Domain),
        ("ada@192.0.2.1", Domain),
        ("ada@[IPv6:2001:db8::1]", Domain),
        ("ada@2001:db8::1", Domain),
        ("ada@example.0x7f", Domain),
        ("ada@example,eve", Domain),
        ("ada@example.com:25", Domain),
        ("ada@exa\u{202E}mple.com", Domain),
        (&format!("ada@{long_label}.example"), Domain),
        ("ada@xn--gthub-h4a.example", Domain),
        ("ada@xn--a.example", Domain),
        ("ada@xn--ada-.example", Domain),
        ("ada@xn--.example", Domain),
    ] {
        assert_eq!(EmailAddress::parse(text).err(), Some(expected), "{text:?}");
        let refusal = expected.refusal("email");
        assert!(refusal.message.starts_with("`email` must "), "{refusal:?}");
    }
    for text in [" ada@example.com", "ada@example.com\n"] {
        assert_eq!(EmailAddress::exactly(text).err(), Some(Malformed));
    }
}

#[test]
fn lengths_are_measured_as_mail_servers_do() {
    let local = "ä".repeat(32);
    let label = "b".repeat(63);
    let longest = format!("{local}@{label}.{label}.{}", "c".repeat(61));
    assert_eq!(longest.len(), 254);
    assert_eq!(key(&longest).as_deref(), Some(longest.as_str()));
    let longer = format!("{longest}c");
    assert_eq!(
        EmailAddress::parse(&longer).err(),
        Some(InvalidEmail::TooLong)
    );
}

#[test]
fn mail_goes_to_the_typed_mailbox_at_an_ascii_domain() {
    for (text, expected) in [
        ("Ädä@bücher.example", "Ädä@xn--bcher-kva.example"),
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
fn addresses_are_shown_normalized() {
    for (text, expected) in [
        (" Ada@Example.COM ", "Ada@Example.COM"),
        (
            "Zoe\u{301}@XN--Bcher-KVA.Example",
            "Zoé@XN--Bcher-KVA.Example",
        ),
        ("ada@BÜCHER.Example", "ada@bücher.example"),
        ("ada@so\u{AD}ft.example", "ada@soft.example"),
    ] {
        let email = EmailAddress::parse(text).expect("it is valid");
        assert_eq!(email.as_str(), expected);
    }
}

#[test]
fn an_address_is_canonical_in_any_ascii_case_with_its_domain_in_ascii() {
    for (text, expected) in [
        ("aDA@eXAMPLE.com", true),
        ("Ädä@xn--BCHER-kva.example", true),
        ("ada@bücher.example", false),
        ("ada@straße.example", false),
        ("\u{212A}im@example.com", false),
        ("zoe\u{301}@example.com", false),
        ("ada@ｗide.example", false),
        ("ada@so\u{AD}ft.example", false),
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
fn characters_that_only_look_like_ascii_never_make_an_address_canonical() {
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
            let Ok(email) = EmailAddress::parse(&text) else {
                continue;
            };
            let is_alone = !email.key().is_ascii() || email.key().contains("xn--");
            assert!(is_alone || !email.is_canonical(), "{text}: {email:?}");
            // Canonical equivalence is all that counts before the `@`: only the Kelvin sign is equivalent to a letter.
            let has_ascii_twin = email.key().is_ascii() && !email.domain().starts_with("xn--");
            let in_local_part = !text.split_once('@').expect("one").0.is_ascii();
            assert!(
                !(in_local_part && has_ascii_twin) || character == '\u{212A}',
                "{text}: {email:?}"
            );
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
    let others = |character: char| u32::from(character) % 97 == 0;
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
fn a_key_is_valid_and_canonical_and_its_own_key() {
    let mut valid = 0;
    for text in samples() {
        let Ok(email) = EmailAddress::parse(&text) else {
            continue;
        };
        valid += 1;
        let of_key = EmailAddress::parse(email.key()).expect("a key is an address");
        assert_eq!(of_key.key(), email.key(), "{text}");
        assert!(of_key.is_canonical(), "{text}");
        let of_text = EmailAddress::parse(email.as_str()).expect("the text is an address");
        assert_eq!(
            (of_text.as_str(), of_text.key()),
            (email.as_str(), email.key())
        );
        assert_eq!(
            email.recipient().to_ascii_lowercase(),
            email.key(),
            "{text}"
        );
    }
    assert!(valid > 20_000, "{valid} are valid");
}

#[test]
fn canonically_equivalent_addresses_have_the_same_key() {
    for text in samples() {
        let composed: String = text.nfc().collect();
        let decomposed: String = text.nfd().collect();
        assert_eq!(key(&composed), key(&text), "{text}");
        assert_eq!(key(&decomposed), key(&text), "{text}");
    }
}

#[test]
fn upper_and_lower_case_in_ascii_never_differ_in_validity_or_key() {
    for text in samples() {
        let composed: String = text.nfc().collect();
        let [upper, lower] =
            [composed.to_ascii_uppercase(), composed.to_ascii_lowercase()].map(|text| key(&text));
        // `I` composes with a dot above and `i` does not: these are different letters.
        if !composed.contains(['i', 'I']) || !text.contains('\u{307}') {
            assert_eq!(upper, lower, "{text}");
        }
    }
}
