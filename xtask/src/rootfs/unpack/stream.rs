//! What is compressed, read as what it was. Told by the first bytes, not by names.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::process::{Child, ChildStdout, Command, Stdio};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// What comes out.
pub type Stream = Box<dyn Read>;

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// What no layer of an image is compressed with, but an archive may be; and what undoes it.
const PROGRAMS: [(&[u8], &str); 2] = [(b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")];

/// A layer's content.
pub fn of(mut raw: impl Read + 'static) -> io::Result<Stream> {
    let mut head = Vec::new();
    raw.by_ref().take(4).read_to_end(&mut head)?;
    let is = |magic| head.starts_with(magic);
    let (is_gzip, is_zstd) = (is(GZIP), is(ZSTD));
    let whole = BufReader::with_capacity(1 << 16, Cursor::new(head).chain(raw));
    Ok(match (is_gzip, is_zstd) {
        (true, _) => Box::new(MultiGzDecoder::new(whole)),
        (_, true) => Box::new(Frames { source: whole, decoder: FrameDecoder::new() }),
        _ => Box::new(whole),
    })
}

/// An archive's content.
pub fn of_file(mut file: File) -> io::Result<Stream> {
    let mut head = Vec::new();
    file.by_ref().take(6).read_to_end(&mut head)?;
    file.rewind()?;
    match PROGRAMS.iter().find(|(magic, _)| head.starts_with(magic)) {
        Some((_, program)) => {
            let mut child =
                Command::new(program).arg("-dc").stdin(file).stdout(Stdio::piped()).spawn()?;
            let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(Box::new(Program { child, output }))
        }
        None => of(file),
    }
}

/// Zstandard (RFC 8878): frames one after another, some of which hold nothing for us.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
}

impl<R: BufRead> Frames<R> {
    /// Begins the next frame with content; whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped = &mut self.source.by_ref().take(length.into());
                    io::copy(skipped, &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    /// The frame's own checksum, where it has one.
    fn check(&self) -> io::Result<()> {
        match self.decoder.get_checksum_from_data() {
            Some(promised) if self.decoder.get_calculated_checksum() != Some(promised) => {
                Err(io::Error::other("the checksum of a zstd frame is wrong"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if !self.decoder.is_finished() {
                let strategy = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, strategy).map_err(io::Error::other)?;
                continue;
            }
            self.check()?;
            if !self.begin()? {
                return Ok(0);
            }
        }
        self.decoder.read(buffer)
    }
}

/// A program that reads the file and gives us what is in it.
struct Program {
    child: Child,
    output: ChildStdout,
}

impl Read for Program {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.output.read(buffer)? {
            0 if !buffer.is_empty() => match self.child.wait()? {
                status if status.success() => Ok(0),
                status => Err(io::Error::other(format!("the program that unpacks it: {status}"))),
            },
            count => Ok(count),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail where it has been waited for, which is as well.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
