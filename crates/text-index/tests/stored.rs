//! Stored indexes that are damaged or hostile are rejected, or are indexes like others.

use std::time::Instant;

use proptest::{collection::vec, prelude::*, sample::Index as At};
use text_index::{Additions, Alternative, Encode, Index, InvalidIndex, Level, Query, Term};

#[derive(Debug, Clone, Copy, PartialEq)]
struct Attributes(u8);

impl Encode for Attributes {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.0);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        (*byte < 200).then_some(Attributes(*byte))
    }
}

/// Two segments, one of them with a removed item.
fn index() -> Index<Attributes> {
    let mut index = Index::default();
    for keys in [0..12_u32, 9..12, 12..13] {
        let mut additions = Additions::default();
        for key in keys {
            let words = ["rank", "ranks", "of", "a", "matrix", "of", "rang", "é"];
            let words = words.into_iter().cycle().take(8 + key as usize % 7);
            additions.add(u128::from(key), Attributes(1), 2, words.zip(key..));
        }
        index.add(additions);
    }
    index
}

fn query(words: &[&str]) -> Query {
    let phrase = Alternative {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        is_prefix: true,
        level: Level::Literal,
        is_counted: true,
    };
    Query {
        branches: vec![vec![Term {
            alternatives: vec![phrase],
        }]],
        excluded: vec![],
    }
}

/// If the bytes are accepted, uses the index in all ways.
fn read(bytes: &[u8]) -> Result<(), InvalidIndex> {
    let mut index = Index::<Attributes>::from_bytes(bytes)?;
    assert!(index.bytes() <= 100 + 64 * bytes.len());
    for words in [
        &["r"][..],
        &["a"],
        &["of", "a"],
        &["a", "matrix", "o"],
        &[""],
    ] {
        for hit in index.search(&query(words), |_| true) {
            assert!((0.0..1.0).contains(&hit.rank), "{hit:?}");
        }
    }
    assert_eq!(
        Index::<Attributes>::from_bytes(&index.to_bytes())
            .expect("the bytes of an index")
            .to_bytes(),
        index.to_bytes()
    );
    let keys: Vec<u128> = index.items().map(|(key, _)| key).collect();
    for (key, at) in keys.iter().zip(0..) {
        assert!(index.set_attributes(*key, Attributes(3)));
        if at % 2 == 0 {
            let mut additions = Additions::default();
            additions.add(*key, Attributes(2), 0, [("new", 1)].into_iter());
            index.add(additions);
        } else {
            assert!(index.remove(*key));
        }
    }
    assert_eq!(index.items().count(), keys.len().div_ceil(2));
    Ok(())
}

#[test]
fn the_bytes_of_an_index_are_read() {
    assert_eq!(read(&index().to_bytes()), Ok(()));
    assert_eq!(read(&Index::<Attributes>::default().to_bytes()), Ok(()));
}

#[test]
fn bytes_that_are_incomplete_or_continue_are_rejected() {
    let bytes = index().to_bytes();
    for end in 0..bytes.len() {
        assert_eq!(
            read(&bytes[..end]),
            Err(InvalidIndex),
            "{end} of {} bytes",
            bytes.len()
        );
    }
    assert_eq!(read(&[&bytes[..], &[0]].concat()), Err(InvalidIndex));
}

#[test]
fn another_version_is_rejected() {
    let mut bytes = index().to_bytes();
    bytes[0] += 1;
    assert_eq!(read(&bytes), Err(InvalidIndex));
}

#[test]
fn segments_without_items_are_rejected() {
    assert_eq!(read(&[1, 1, 0, 0]), Err(InvalidIndex));
}

#[test]
fn an_item_in_two_segments_is_rejected() {
    let segment = |attributes: u8| [&[1][..], &[7; 16], &[0, 0, 0, attributes, 1]].concat();
    let removed = [&[1][..], &[7; 16], &[0, 0, 0, 0]].concat();
    let other = [&[2][..], &[6; 16], &[0, 0], &[7; 16], &[0, 0, 0, 1, 1, 0]].concat();
    assert_eq!(read(&[&[1, 1][..], &segment(1)].concat()), Ok(()));
    assert_eq!(
        read(&[&[1, 1][..], &segment(2)].concat()),
        Err(InvalidIndex)
    );
    assert_eq!(read(&[&[1, 1][..], &removed].concat()), Err(InvalidIndex));
    assert_eq!(read(&[&[1, 2][..], &segment(1), &other].concat()), Ok(()));
    assert_eq!(
        read(&[&[1, 2][..], &segment(1), &segment(1)].concat()),
        Err(InvalidIndex)
    );
}

#[test]
fn words_and_positions_that_do_not_ascend_are_rejected() {
    let index = |words: &[u8]| [&[1, 1, 1][..], &[7; 16], &[0, 0], words, &[1, 1]].concat();
    let two = |first, second| index(&[2, 1, first, 2, 1, second, 2, 1, 0, 1, 0]);
    assert_eq!(read(&two(b'a', b'b')), Ok(()));
    assert_eq!(read(&two(b'b', b'a')), Err(InvalidIndex));
    assert_eq!(read(&two(b'a', b'a')), Err(InvalidIndex));
    let distance = |distance| index(&[1, 1, b'a', 4, 0, 2, 5, distance]);
    assert_eq!(read(&distance(1)), Ok(()));
    assert_eq!(read(&distance(0)), Err(InvalidIndex));
}

/// A segment without items and with these words, each with one byte of postings.
fn segment_of(words: usize, word: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = vec![1, 1, 0];
    bytes.extend([
        words as u8 & 0x7f | 0x80,
        (words >> 7) as u8 & 0x7f | 0x80,
        (words >> 14) as u8,
    ]);
    for number in 0..words {
        bytes.extend(word(number));
        bytes.push(1);
    }
    bytes.resize(bytes.len() + words, 3);
    bytes
}

#[test]
fn bytes_that_stand_for_much_more_are_rejected_fast() {
    let start = Instant::now();
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for before in [
        &[1][..],
        &[1, 1],
        &[1, 1, 0],
        &[1, 1, 0, 1],
        &[1, 1, 0, 1, 0],
        &[1, 1, 0, 1, 1, b'a'],
    ] {
        assert_eq!(read(&[before, &huge, &huge].concat()), Err(InvalidIndex));
    }
    // Each word is one byte longer than the word before, or ends with the same long text.
    let longer = segment_of(200_000, |number| {
        vec![(number.min(15) as u8) << 4 | 1, b'a']
    });
    assert_eq!(read(&longer), Err(InvalidIndex));
    let long = segment_of(100_000, |_| [&[0, 0xff, 1][..], &[b'a'; 255]].concat());
    assert_eq!(read(&long), Err(InvalidIndex));
    assert!(start.elapsed().as_secs() < 30);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_damaged_index_is_rejected_or_works(changes in vec((any::<At>(), any::<u8>()), 1..4)) {
        let mut bytes = index().to_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes);
    }

    #[test]
    fn an_index_with_bytes_inserted_and_removed_is_rejected_or_works(
        start in any::<At>(), removed in 0_usize..4, inserted in vec(any::<u8>(), 0..4)
    ) {
        let mut bytes = index().to_bytes();
        let start = start.index(bytes.len());
        let end = bytes.len().min(start + removed);
        bytes.splice(start..end, inserted);
        let _ = read(&bytes);
    }

    #[test]
    fn random_bytes_are_rejected_or_work(bytes in vec(prop_oneof![0_u8..4, any::<u8>()], 0..80)) {
        let _ = read(&[&[1][..], &bytes].concat());
    }
}
