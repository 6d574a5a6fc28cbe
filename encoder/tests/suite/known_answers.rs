//! Answers that were computed elsewhere, from every instruction set that can run here.

use crate::common::{self, Refusal, bytes, encoders};

const ENCODED: &[(&str, &str)] = &[
    ("", ""),
    ("ff", "Pf"),
    ("00ff", "AQv_"),
    ("b24347", "LSkzEX"),
    ("17545aa59cb385", "BXl0Faq1JcrzIV"),
    (
        "7a0e6b6dce930ada000285a1874de5dd",
        "Hag-Gbm9MepzAat6AQgyIVqxIXk9OVt9",
    ),
    (
        "2ea000b70b73edb3039e53a255ebc0ae5f",
        "CeqwAQr3AbnzOdrzATp-FTqyFVu7MQq-Ff",
    ),
    (
        "6bd7c2f13effb7749704c6ba2088017226d21b4cfade71f0b90dcdb64c2d6b87cf",
        "Gbt3MSvxDev_LXn0JXg0MWr6CQo4ARnyCWtyBbk8Pat-HRvwLZg9Mdr2Eci9Gbo3Mf",
    ),
];

const DECODED: &[(&str, Result<&str, Refusal>)] = &[
    ("", Ok("")),
    ("Jf", Ok("9f")),
    ("IQvxDX", Ok("80f137")),
    ("Hag5Iam8", Ok("7a098a6c")),
    (
        "FUt6ASvwERgzBev-Fbq5CZs3IesxAe",
        Ok("54da02f041031efe5ba929c78ec10e"),
    ),
    (
        "AUu-FYm8NekyAUlzNXs2PWh8IQp_BQlw",
        Ok("04ee586cde420453d7c6f61c809f1050"),
    ),
    ("ABC", Err(("odd_length", None))),
    ("AQgw\n", Err(("odd_length", None))),
    ("AQgwAQgw.AQgwAQgw", Err(("odd_length", None))),
    ("AQgwĀQ", Err(("odd_length", None))),
    ("QA", Err(("wrong_position", Some(0)))),
    ("AA", Err(("wrong_position", Some(1)))),
    ("AQA€", Err(("wrong_position", Some(2)))),
    ("AQgx____", Err(("wrong_position", Some(4)))),
    ("\0\0", Err(("invalid_character", Some(0)))),
    ("AQg=", Err(("invalid_character", Some(3)))),
    ("AQé", Err(("invalid_character", Some(2)))),
    ("AQ😀", Err(("invalid_character", Some(2)))),
    ("AQgwé", Err(("invalid_character", Some(4)))),
    (
        "IatyMfn-PUt5MYm2Pgq9Aeg6Idh2Iev9Ifi_AVg5GWi0DYt1PWh6Gdm7GSjwHUoyFeq9IXi6HXswLfn5",
        Err(("wrong_position", Some(17))),
    ),
    (
        "IatyMfn-PUt5MYm2PVq9Aeg6Idh2Iev9Ifi_AVg5GWi0DYt1PWh6Gdm7GSjwHUoyFeq9IXi6HXswLfn!",
        Err(("invalid_character", Some(79))),
    ),
];

#[test]
fn encode_gives_the_known_text() {
    for encoder in encoders() {
        for (hex, text) in ENCODED {
            assert_eq!(
                encoder.encode(&bytes(hex)),
                *text,
                "{} of {hex}",
                encoder.isa()
            );
        }
    }
}

#[test]
fn decode_gives_the_known_data_or_error() {
    for encoder in encoders() {
        for (text, answer) in DECODED {
            let data = encoder.decode(text.as_bytes());
            let data = data.map_err(|error| (error.kind(), error.position()));
            assert_eq!(data, answer.map(bytes), "{} of {text:?}", encoder.isa());
        }
    }
}

/// The answers and the tests' own reference come from different hands; they must agree.
#[test]
fn reference_gives_the_known_answers() {
    for (hex, text) in ENCODED {
        assert_eq!(common::encode(&bytes(hex)), *text);
    }
    for (text, answer) in DECODED {
        assert_eq!(
            common::decode(text.as_bytes()),
            answer.map(bytes),
            "{text:?}"
        );
    }
}
