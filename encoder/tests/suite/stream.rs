//! Streams: any chunking of the data or the text is the whole, whatever the inner reader or writer does.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::common::{encode, encoders, noise};
use q64::{DecodeReader, EncodeWriter, Q64Error};

/// Chunk lengths that are taken in turn: even and odd ones, ones around a kernel's blocks, and longer than any buffer.
const CUTS: [&[usize]; 7] = [
    &[1],
    &[2],
    &[3],
    &[1, 2, 3, 5, 8],
    &[64, 1, 33],
    &[4095, 2],
    &[100_000, 7],
];

/// On both sides of what is buffered, odd and even.
const LENGTHS: [usize; 9] = [0, 1, 2, 3, 67, 1000, 16_383, 16_385, 70_001];

fn chunks<'a>(mut bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut cuts = cuts.iter().cycle();
    std::iter::from_fn(move || {
        let (chunk, rest) = bytes.split_at(bytes.len().min(*cuts.next()?));
        bytes = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Gives and takes chunks of the lengths of `cuts`, and every third time it is interrupted first.
struct Choppy<'a, T> {
    inner: T,
    cuts: std::iter::Cycle<std::slice::Iter<'a, usize>>,
    calls: usize,
}

impl<'a, T> Choppy<'a, T> {
    fn new(inner: T, cuts: &'a [usize]) -> Self {
        Self {
            inner,
            cuts: cuts.iter().cycle(),
            calls: 0,
        }
    }

    fn next(&mut self, len: usize) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(3) {
            return Err(ErrorKind::Interrupted.into());
        }
        Ok(len.min(*self.cuts.next().unwrap()))
    }
}

impl<R: Read> Read for Choppy<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.next(buffer.len())?;
        self.inner.read(&mut buffer[..len])
    }
}

impl<W: Write> Write for Choppy<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.next(bytes.len())?;
        self.inner.write(&bytes[..len])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[test]
fn data_written_in_any_chunks_is_one_text() {
    let encoders = encoders();
    for len in LENGTHS {
        let (data, text) = (noise(3, len), encode(&noise(3, len)));
        for cuts in CUTS {
            for &encoder in &encoders {
                let mut writer = EncodeWriter::with_encoder(encoder, Choppy::new(Vec::new(), cuts));
                for chunk in chunks(&data, cuts) {
                    writer.write_all(chunk).unwrap();
                }
                let got = writer.finish().unwrap().inner;
                assert!(
                    got == text.as_bytes(),
                    "{len} bytes cut {cuts:?}, {}",
                    encoder.isa()
                );
            }
        }
    }
}

#[test]
fn text_read_in_any_chunks_is_one_text() {
    let encoders = encoders();
    for len in LENGTHS {
        let (data, text) = (noise(4, len), encode(&noise(4, len)));
        for cuts in CUTS {
            for &encoder in &encoders {
                let inner = Choppy::new(text.as_bytes(), cuts);
                let mut reader = DecodeReader::with_encoder(encoder, inner);
                let mut got = Vec::new();
                reader.read_to_end(&mut got).unwrap();
                assert!(got == data, "{len} bytes cut {cuts:?}, {}", encoder.isa());
                assert_eq!(reader.read_to_end(&mut got).unwrap(), 0);
            }
        }
    }
}

#[test]
fn buffers_of_any_length_are_read_into() {
    let (data, text) = (noise(5, 1001), encode(&noise(5, 1001)));
    for cuts in CUTS {
        let mut reader = DecodeReader::new(text.as_bytes());
        let (mut got, mut lens) = (Vec::new(), cuts.iter().cycle());
        loop {
            let mut buffer = vec![0xa5; *lens.next().unwrap()];
            match reader.read(&mut buffer).unwrap() {
                0 => break,
                len => {
                    got.extend_from_slice(&buffer[..len]);
                    assert!(buffer[len..].iter().all(|byte| *byte == 0xa5));
                }
            }
        }
        assert!(got == data, "{cuts:?}");
    }
    assert_eq!(DecodeReader::new(&b"!!"[..]).read(&mut []).unwrap(), 0);
}

/// What was read, and the error that ended it.
fn refused(text: &[u8], cuts: &[usize]) -> (Vec<u8>, Q64Error) {
    let mut reader = DecodeReader::new(Choppy::new(text, cuts));
    let mut data = Vec::new();
    let mut errors = (0..2).map(|_| {
        let error = reader.read_to_end(&mut data).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        *error.get_ref().unwrap().downcast_ref::<Q64Error>().unwrap()
    });
    let (first, again) = (errors.next().unwrap(), errors.next().unwrap());
    assert_eq!(first, again);
    (data, first)
}

#[test]
fn an_error_has_its_place_in_the_whole_text_and_comes_after_what_is_good() {
    let data = noise(6, 40_000);
    let text = encode(&data).into_bytes();
    for position in [0, 1, 2, 3, 130, 131, 32_767, 32_768, 65_537, 79_998, 79_999] {
        for (byte, kind) in [(b'!', "invalid_character"), (0xc3, "invalid_character")] {
            for cuts in CUTS {
                let mut wrong = text.clone();
                wrong[position] = byte;
                let (read, error) = refused(&wrong, cuts);
                assert_eq!(
                    (error.kind(), error.position()),
                    (kind, Some(position)),
                    "{cuts:?}"
                );
                assert!(read == data[..position / 2], "{position}, {cuts:?}");
                let Q64Error::InvalidCharacter {
                    byte: found,
                    expected,
                    ..
                } = error
                else {
                    panic!("{error:?}");
                };
                assert_eq!((found, usize::from(expected)), (byte, position % 4));
            }
        }
        let mut wrong = text.clone();
        wrong[position] = b"QgwA"[position % 4];
        let (_, error) = refused(&wrong, &[3]);
        let [found, expected] = [(position + 1) % 4, position % 4].map(|alphabet| alphabet as u8);
        let byte = wrong[position];
        assert_eq!(
            error,
            Q64Error::WrongPosition {
                position,
                byte,
                found,
                expected
            }
        );
    }
}

#[test]
fn an_odd_end_is_refused_with_the_length_of_all_of_the_text() {
    for len in [1, 3, 1001, 32_769, 65_537] {
        for cuts in CUTS {
            let data = noise(7, len);
            let text = &encode(&data).into_bytes()[..len];
            let (read, error) = refused(text, cuts);
            assert_eq!(error, Q64Error::OddLength { len });
            assert!(read == data[..len / 2], "{len}, {cuts:?}");
        }
    }
}

/// Takes `room` bytes, and fails until it has more.
#[derive(Debug, Default)]
struct Full {
    taken: RefCell<Vec<u8>>,
    room: RefCell<usize>,
}

impl Write for &Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.room.borrow_mut();
        let len = bytes.len().min(*room);
        if len == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        *room -= len;
        self.taken.borrow_mut().extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn after_an_error_of_the_inner_writer_nothing_is_lost_and_nothing_twice() {
    let data = noise(8, 50_001);
    let full = Full::default();
    let mut writer = EncodeWriter::new(&full);
    let (mut rest, mut failed) = (&data[..], 0);
    while !rest.is_empty() {
        match writer.write(rest) {
            Ok(len) => rest = &rest[len..],
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::StorageFull);
                failed += 1;
                *full.room.borrow_mut() += 1777;
            }
        }
    }
    while writer.flush().is_err() {
        failed += 1;
        *full.room.borrow_mut() += 1777;
    }
    assert!(failed > 50, "{failed}");
    writer.finish().unwrap();
    assert!(*full.taken.borrow() == encode(&data).as_bytes());
}

/// Whoever is told that text is lost may send it again: it must not come twice.
#[test]
fn after_a_failed_finish_nothing_more_is_written() {
    let full = Full::default();
    *full.room.borrow_mut() = 3;
    let mut writer = EncodeWriter::new(WithRoomLater(&full));
    writer.write_all(b"Q64").unwrap();
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(*full.taken.borrow(), b"FRj");
}

/// Has room again as soon as it has failed.
#[derive(Debug)]
struct WithRoomLater<'a>(&'a Full);

impl Write for WithRoomLater<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut full = self.0;
        let written = full.write(bytes);
        if written.is_err() {
            *full.room.borrow_mut() = 100;
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_odd_last_byte_is_an_odd_length_whatever_it_is() {
    for (text, kind, position) in [
        ("AQ!", "odd_length", None),
        ("AQ!x", "invalid_character", Some(2)),
    ] {
        let (data, error) = refused(text.as_bytes(), &[1]);
        assert_eq!(
            (&*data, error.kind(), error.position()),
            (&[0][..], kind, position)
        );
    }
}

#[test]
fn a_writer_that_takes_nothing_is_an_error() {
    let mut nothing = [0; 0];
    let mut writer = EncodeWriter::new(&mut nothing[..]);
    writer.write_all(b"Q64").unwrap();
    assert_eq!(writer.flush().unwrap_err().kind(), ErrorKind::WriteZero);
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::WriteZero);
}

#[test]
fn a_dropped_writer_writes_what_waits() {
    let full = Full::default();
    *full.room.borrow_mut() = 100;
    let mut writer = EncodeWriter::new(&full);
    writer.write_all(b"Q64").unwrap();
    assert!(writer.get_ref().taken.borrow().is_empty());
    drop(writer);
    assert_eq!(*full.taken.borrow(), b"FRj2DU");
}

/// Takes a byte, and panics.
struct Panics<'a>(&'a RefCell<Vec<u8>>);

impl Write for Panics<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().push(bytes[0]);
        panic!("the inner writer panics");
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_a_panicking_writer_may_have_taken_is_not_written_again() {
    let taken = RefCell::new(Vec::new());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mut writer = EncodeWriter::new(Panics(&taken));
        writer.write_all(b"Q64").unwrap();
        writer.flush()
    }));
    assert!(unwound.is_err());
    assert_eq!(*taken.borrow(), b"F");
}
