//! The wire format: frozen, complete, and closed to anything a writer did not make.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use proptest::prelude::*;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::{MAX_CHARGES, QuotaCharge, QuotaCharges, QuotaOwner, QuotaRefill};
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_usage::wire::{
    Batch, BatchBuilder, BatchError, BatchKind, RecordError, at_micros, decode, encode, encoded_len,
};
use uuid::Uuid;

fn example() -> UsageEvent<'static> {
    UsageEvent {
        token_id: TokenId(Uuid::from_u128(0x0102_0304_0506_7708_890a_0b0c_0d0e_0f10)),
        account_id: AccountId(Uuid::from_u128(0x1112_1314_1516_7718_991a_1b1c_1d1e_1f20)),
        token_version: 3,
        endpoint: "/v1/items/7",
        method: "GET",
        status: 403,
        verdict: Verdict::InsufficientScope,
        ip: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
        user_agent: "curl/8",
        request_id: "",
        response_time_us: 1_500,
        at_micros: 1_700_000_000_000_001,
        cost: 1,
        charges: QuotaCharges::default(),
    }
}

/// The same, charged to a quota of the account and to one of the token.
fn charged_example() -> UsageEvent<'static> {
    UsageEvent {
        cost: 7,
        charges: charges(&[
            (QuotaOwner::Account, 258, QuotaRefill::Monthly),
            (QuotaOwner::Token, 1, QuotaRefill::Daily),
        ]),
        ..example()
    }
}

fn charges(all: &[(QuotaOwner, u32, QuotaRefill)]) -> QuotaCharges {
    let mut charges = QuotaCharges::default();
    for &(owner, generation, refill) in all {
        assert!(charges.push(QuotaCharge {
            owner,
            generation,
            refill,
        }));
    }
    charges
}

fn bytes_of(event: &UsageEvent<'_>) -> Vec<u8> {
    let mut slot = vec![0xee; encoded_len(event)];
    encode(event, &mut slot);
    slot
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Records that older binaries wrote must stay readable. Never change these bytes: add a version.
const GOLDEN_RECORD: &str = concat!(
    "01010a03",
    "0b000600",
    "01401e18240a0600",
    "0102030405067708890a0b0c0d0e0f10",
    "1112131415167718991a1b1c1d1e1f20",
    "0300000000000000",
    "dc050000",
    "9301",
    "c0000207",
    "474554",
    "2f76312f6974656d732f37",
    "6375726c2f38"
);

/// A request id behind the fields of version 1, with its flag. Never change these bytes either.
const GOLDEN_REQUEST_ID: &str = concat!("05", "722d372e61");

/// What follows the fields of version 1 in a record of version 2. Never change these bytes either.
const GOLDEN_CHARGES: &str = concat!("07000000", "02", "010102010000", "000201000000");

#[test]
fn the_record_format_is_frozen() {
    assert_eq!(hex(&bytes_of(&example())), GOLDEN_RECORD);
    let charged = bytes_of(&charged_example());
    let fields = GOLDEN_RECORD.strip_prefix("01").unwrap();
    assert_eq!(hex(&charged), format!("02{fields}{GOLDEN_CHARGES}"));
    assert_eq!(decode(&charged), Ok(charged_example()));

    let named = UsageEvent {
        request_id: "r-7.a",
        ..charged_example()
    };
    let fields = fields.strip_prefix("01").unwrap();
    let expected = format!("0221{fields}{GOLDEN_REQUEST_ID}{GOLDEN_CHARGES}");
    assert_eq!(hex(&bytes_of(&named)), expected);
    assert_eq!(decode(&bytes_of(&named)), Ok(named));
}

#[test]
fn a_record_of_before_quotas_cost_1_and_was_charged_to_none() {
    let bytes = (0..GOLDEN_RECORD.len()).step_by(2);
    let record: Vec<u8> = bytes
        .map(|at| u8::from_str_radix(&GOLDEN_RECORD[at..at + 2], 16).unwrap())
        .collect();
    let read = decode(&record).unwrap();
    assert_eq!((read.cost, read.charges), (1, QuotaCharges::default()));
    assert_eq!(read, example());
}

#[test]
fn the_batch_format_is_frozen() {
    let mut builder = BatchBuilder::new(Uuid::from_u128(0xabcd), 41);
    builder.push(&bytes_of(&example()));
    builder.push(b"");
    let (header, crc, message) = builder.finish();
    assert_eq!((header.first, header.last), (41, 42));
    let expected = concat!(
        "544b5542",
        "0100",
        "0000",
        "0000000000000000000000000000abcd",
        "2900000000000000",
        "2a00000000000000",
        "5a000000"
    );
    let message = hex(&message);
    assert_eq!(&message[..88], expected);
    assert_eq!(&message[88..96], hex(&crc.to_le_bytes()));
    assert_eq!(&message[104..108], "5600");
    assert_eq!(&message[108..], format!("{GOLDEN_RECORD}0000"));
}

#[test]
fn a_close_says_the_final_number_and_nothing_else() {
    let source = Uuid::from_u128(7);
    for last in [0, 41] {
        let (_, message) = BatchBuilder::close(source, last);
        let batch = Batch::read(message).unwrap();
        assert_eq!(batch.header().kind, BatchKind::Close);
        assert_eq!((batch.header().source, batch.header().last), (source, last));
        assert_eq!(batch.records().count(), 0);
    }
}

#[test]
fn dropped_events_are_a_range_of_any_length_without_a_body() {
    let source = Uuid::from_u128(7);
    for (first, last) in [(1, 1), (41, 1 << 40)] {
        let (header, message) = BatchBuilder::dropped(source, first, last);
        assert_eq!(header.kind, BatchKind::Dropped);
        let batch = Batch::read(message.clone()).unwrap();
        assert_eq!(batch.header(), header);
        assert_eq!(
            (header.source, header.first, header.last),
            (source, first, last)
        );
        assert_eq!(batch.records().count(), 0);
        let with_body = [&message[..], b"x"].concat();
        let broken = Batch::read(with_body.into());
        assert!(matches!(broken, Err(BatchError::Body { .. })));
    }
}

#[test]
fn reserved_fields_are_checked_and_skipped() {
    let mut record = bytes_of(&example());
    record[1] |= 0b1_1100;
    record.extend_from_slice(&[2, 0]);
    record.extend_from_slice(b"/r");
    record.extend_from_slice(&[7; 16]);
    assert_eq!(decode(&record), Ok(example()));
    record.pop();
    assert_eq!(decode(&record), Err(RecordError::Truncated("bytes out")));
}

#[test]
fn each_malformed_field_has_its_own_error() {
    let record = bytes_of(&example());
    let with = |at: usize, byte: u8| {
        let mut record = record.clone();
        record[at] = byte;
        record
    };
    assert_eq!(decode(&with(0, 3)), Err(RecordError::Version(3)));
    assert_eq!(decode(&with(1, 0x80)), Err(RecordError::Flags(0x80)));
    assert_eq!(decode(&with(1, 0x03)), Err(RecordError::Flags(0x03)));
    assert_eq!(decode(&with(2, 14)), Err(RecordError::Verdict(14)));
    assert_eq!(
        decode(&with(3, 17)),
        Err(RecordError::TooLong {
            field: "method",
            bytes: 17
        })
    );
    assert_eq!(decode(&with(66, 0xff)), Err(RecordError::NotText("method")));
    assert_eq!(decode(&[]), Err(RecordError::Truncated("version")));
    let mut longer = record.clone();
    longer.push(0);
    assert_eq!(decode(&longer), Err(RecordError::Trailing(1)));
}

#[test]
fn each_malformed_charge_has_its_own_error() {
    let record = bytes_of(&charged_example());
    let number = |field, number| Err(RecordError::Number { field, number });
    let last = record.len() - 6;
    for (at, byte, error) in [
        (last, 2, number("owner of a quota", 2)),
        (last + 1, 3, number("refill of a quota", 3)),
        (last - 7, 1, Err(RecordError::Trailing(6))),
        (last - 7, 3, Err(RecordError::Truncated("owner of a quota"))),
    ] {
        let mut record = record.clone();
        record[at] = byte;
        assert_eq!(decode(&record), error, "{at}: {byte}");
    }
    let every: Vec<_> = (1..=MAX_CHARGES as u32)
        .map(|generation| (QuotaOwner::Token, generation, QuotaRefill::None))
        .collect();
    let event = UsageEvent {
        charges: charges(&every),
        ..example()
    };
    let mut record = bytes_of(&event);
    assert_eq!(decode(&record), Ok(event));
    let count = record.len() - MAX_CHARGES * 6 - 1;
    record[count] += 1;
    record.extend_from_slice(&[0; 6]);
    assert_eq!(decode(&record), Err(RecordError::Charges(9)));
}

#[test]
fn texts_beyond_their_limits_are_cut_at_a_character() {
    let long = "é".repeat(400);
    let event = UsageEvent {
        endpoint: &long,
        user_agent: &long,
        method: &long,
        request_id: &long,
        ..example()
    };
    let record = bytes_of(&event);
    let read = decode(&record).unwrap();
    assert_eq!(
        (
            read.endpoint.len(),
            read.user_agent.len(),
            read.method.len(),
            read.request_id.len()
        ),
        (512, 256, 16, 128)
    );
}

#[test]
fn every_single_bit_of_a_batch_counts() {
    let mut builder = BatchBuilder::new(Uuid::from_u128(9), 1);
    for _ in 0..3 {
        builder.push(&bytes_of(&example()));
    }
    let (_, _, message) = builder.finish();
    assert!(Batch::read(message.clone()).is_ok());
    for end in 0..message.len() {
        assert!(Batch::read(message.slice(..end)).is_err(), "cut at {end}");
    }
    for bit in 0..message.len() * 8 {
        let mut flipped = message.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Batch::read(flipped.into()).is_err(), "bit {bit}");
    }
    let mut longer = message.to_vec();
    longer.push(0);
    assert!(Batch::read(longer.into()).is_err());
}

#[test]
fn a_broken_body_still_tells_the_range() {
    let mut builder = BatchBuilder::new(Uuid::from_u128(9), 5);
    builder.push(&bytes_of(&example()));
    let (header, _, message) = builder.finish();
    let mut broken = message.to_vec();
    *broken.last_mut().unwrap() ^= 1;
    match Batch::read(broken.into()) {
        Err(BatchError::Body { header: found, .. }) => assert_eq!(found, header),
        other => panic!("{other:?}"),
    }
}

prop_compose! {
    fn event()(
        ids in any::<(u128, u128)>(),
        numbers in any::<(u64, u16, u32, i64)>(),
        verdict in 0_u8..14,
        ip in prop::option::of(prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from(bits))),
            any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from(bits))),
        ]),
        texts in ("\\PC{0,60}", "[A-Z]{0,16}", "\\PC{0,60}", "[A-Za-z0-9_.-]{0,128}"),
        cost in prop_oneof![Just(1), any::<u32>()],
        charged in prop::collection::vec(charge(), 0..=MAX_CHARGES),
    ) -> (UsageEvent<'static>, (String, String, String, String)) {
        (UsageEvent {
            token_id: TokenId(Uuid::from_u128(ids.0)),
            account_id: AccountId(Uuid::from_u128(ids.1)),
            token_version: numbers.0,
            status: numbers.1,
            response_time_us: numbers.2,
            at_micros: numbers.3,
            verdict: Verdict::ALL[usize::from(verdict)],
            ip,
            endpoint: "",
            method: "",
            user_agent: "",
            request_id: "",
            cost,
            charges: charges(&charged),
        }, texts)
    }
}

fn charge() -> impl Strategy<Value = (QuotaOwner, u32, QuotaRefill)> {
    let owner = prop_oneof![Just(QuotaOwner::Token), Just(QuotaOwner::Account)];
    let refill = prop_oneof![
        Just(QuotaRefill::None),
        Just(QuotaRefill::Monthly),
        Just(QuotaRefill::Daily),
    ];
    (owner, any::<u32>(), refill)
}

proptest! {
    #[test]
    fn what_is_written_is_read((event, texts) in event()) {
        let event = UsageEvent {
            endpoint: &texts.0, method: &texts.1, user_agent: &texts.2, request_id: &texts.3, ..event
        };
        let record = bytes_of(&event);
        prop_assert_eq!(decode(&record), Ok(event));
        prop_assert_eq!(at_micros(&record), Some(event.at_micros));
        for end in 0..record.len() {
            prop_assert!(decode(&record[..end]).is_err());
        }
    }

    #[test]
    fn garbage_is_refused_and_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&garbage);
        prop_assert!(Batch::read(Bytes::from(garbage)).is_err());
    }

    #[test]
    fn batches_come_back_record_by_record(
        events in prop::collection::vec(event(), 1..20), first in 1_u64..1_000,
    ) {
        let records: Vec<Vec<u8>> = events.iter().map(|(event, texts)| bytes_of(&UsageEvent {
            endpoint: &texts.0, method: &texts.1, user_agent: &texts.2, request_id: &texts.3, ..*event
        })).collect();
        let mut builder = BatchBuilder::new(Uuid::from_u128(1), first);
        records.iter().for_each(|record| builder.push(record));
        let batch = Batch::read(builder.finish().2).unwrap();
        for (at, (number, record, event)) in batch.records().enumerate() {
            prop_assert_eq!(number, first + at as u64);
            prop_assert_eq!(record, &records[at][..]);
            prop_assert!(event.is_ok());
        }
        prop_assert_eq!(batch.records().count(), records.len());
    }
}
