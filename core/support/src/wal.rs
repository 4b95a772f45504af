//! Judges a write-ahead log, frame by frame, as SQLite does when it recovers one (`walIndexRecover`
//! in wal.c). The reader takes pieces of any size, and keeps one frame at most.
//!
//! Layout: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use cutover_core::{HEADER_BYTES, counted};
use serde::{Deserialize, Serialize};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const FORMAT: u32 = 3_007_000;

/// The header of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WalHeader {
    /// Whether the checksums are of big-endian words.
    pub big_endian: bool,
    /// Bytes in a page.
    pub page_size: u32,
    /// How often SQLite began the log anew.
    pub checkpoint_sequence: u32,
    /// The two salts, in hex. A frame with other salts is of an earlier round.
    pub salts: String,
}

/// What a log is to SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WalState {
    /// The log has no byte, or no frame.
    Empty,
    /// The header is not valid. SQLite treats the log as empty, or does not open the database.
    /// `why` says what is wrong.
    Unusable,
    /// The log has frames.
    Usable,
}

/// What a log holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wal {
    /// Bytes.
    pub size: u64,
    /// What the log is to SQLite.
    pub state: WalState,
    /// What is wrong with the header.
    pub why: Option<String>,
    /// The header, where it is valid.
    pub header: Option<WalHeader>,
    /// The frames up to the first with a wrong salt or checksum. SQLite reads those of them that a
    /// commit follows.
    pub valid_frames: u64,
    /// The frames of this round that are not valid: the first with a wrong checksum, all frames
    /// behind it, and a last frame that is cut short.
    pub torn_frames: u64,
    /// The frames of an earlier round, which have other salts. They are in the database already.
    pub stale_frames: u64,
    /// The committed transactions.
    pub commits: u64,
    /// The valid frames up to the last commit.
    pub committed_frames: u64,
    /// The valid frames behind the last commit. They are of a transaction that was not committed.
    pub uncommitted_frames: u64,
    /// The number of pages of the database after the last commit.
    pub pages_after: Option<u32>,
    /// The 100 bytes of the database header after the last commit, in hex. Nothing where no commit
    /// changed page 1.
    #[serde(default)]
    pub header_after: Option<String>,
    /// The number of frames that are in the database already, as the `-shm` says. Nothing where no
    /// `-shm` of this log was given.
    pub checkpointed_frames: Option<u32>,
    /// The commits that are not wholly in the database yet. Without a `-shm` every commit counts.
    pub commits_not_checkpointed: u64,
}

/// What the `-shm` file says of the log that it belongs to. It outlives a log that is removed by
/// hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shm {
    /// The valid frames of the log.
    pub frames: u32,
    /// How many of them are in the database already.
    pub checkpointed_frames: u32,
    /// The two salts of the log, in hex.
    pub salts: String,
}

/// Reads a log in pieces.
#[derive(Debug, Clone)]
pub struct WalReader {
    wal: Wal,
    /// The bytes of an unfinished header or frame.
    part: Vec<u8>,
    salts: [u8; 8],
    sum: (u32, u32),
    /// Whether a frame was not valid. No frame behind it is valid then.
    ended: bool,
    /// The header in the last valid frame of page 1, committed or not.
    page1: Option<String>,
    shm: Option<Shm>,
}

impl WalReader {
    /// Begins to read a log. `shm` is the content of the `-shm` beside the log. Its first 136 bytes
    /// say how many frames are in the database already.
    #[must_use]
    pub fn new(shm: Option<&[u8]>) -> Self {
        let wal = Wal {
            size: 0,
            state: WalState::Empty,
            why: None,
            header: None,
            valid_frames: 0,
            torn_frames: 0,
            stale_frames: 0,
            commits: 0,
            committed_frames: 0,
            uncommitted_frames: 0,
            pages_after: None,
            header_after: None,
            checkpointed_frames: None,
            commits_not_checkpointed: 0,
        };
        Self {
            wal,
            part: Vec::new(),
            salts: [0; 8],
            sum: (0, 0),
            ended: false,
            page1: None,
            shm: shm.and_then(read_shm),
        }
    }

    /// Reads the next bytes of the log.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        self.wal.size = self.wal.size.saturating_add(bytes.len() as u64);
        while !bytes.is_empty() && self.wal.why.is_none() {
            let wanted = match &self.wal.header {
                None => HEADER,
                Some(header) => FRAME_HEADER + header.page_size as usize,
            };
            let (now, later) =
                bytes.split_at(bytes.len().min(wanted.saturating_sub(self.part.len())));
            self.part.extend_from_slice(now);
            bytes = later;
            if self.part.len() == wanted {
                let part = std::mem::take(&mut self.part);
                if self.wal.header.is_none() {
                    self.header(&part);
                } else {
                    self.frame(&part);
                }
                self.part = part;
                self.part.clear();
            }
        }
    }

    /// Ends the reading. A rest is a frame that is cut short.
    #[must_use]
    pub fn finish(mut self) -> Wal {
        if !self.part.is_empty() && self.wal.why.is_none() {
            if self.wal.header.is_none() {
                self.unusable(format!(
                    "it has {}, and its header alone has {HEADER}",
                    counted(self.part.len() as u64, "byte")
                ));
            } else {
                // A frame without its salts does not tell its round. It counts as torn, unless an
                // invalid frame stands before it.
                let own = self.part.get(8..16).map_or(!self.ended, |salts| *salts == self.salts);
                *(if own { &mut self.wal.torn_frames } else { &mut self.wal.stale_frames }) += 1;
            }
        }
        if self.wal.state == WalState::Usable {
            self.wal.uncommitted_frames = self.wal.valid_frames - self.wal.committed_frames;
        }
        self.wal
    }

    fn unusable(&mut self, why: String) {
        self.wal.state = WalState::Unusable;
        self.wal.why = Some(why);
    }

    fn header(&mut self, part: &[u8]) {
        let word = |at: usize| be32(part, at);
        let big_endian = match word(0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return self.unusable("it does not begin as a write-ahead log".into()),
        };
        let page_size = word(8);
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return self.unusable(format!(
                "its header gives a page size of {page_size}, which SQLite does not support"
            ));
        }
        self.sum = checksum(big_endian, (0, 0), part.get(..24).unwrap_or_default());
        if self.sum != (word(24), word(28)) {
            return self.unusable("the checksum of its header is wrong".into());
        }
        if word(4) != FORMAT {
            return self.unusable(format!("its format is {}, and SQLite knows {FORMAT}", word(4)));
        }
        if let Some(salts) = part.get(16..24).and_then(|salts| <[u8; 8]>::try_from(salts).ok()) {
            self.salts = salts;
        }
        let salts = cutover_core::hex(&self.salts);
        self.wal.checkpointed_frames =
            self.shm.as_ref().filter(|shm| shm.salts == salts).map(|shm| shm.checkpointed_frames);
        self.wal.header =
            Some(WalHeader { big_endian, page_size, checkpoint_sequence: word(12), salts });
    }

    fn frame(&mut self, part: &[u8]) {
        let Some(header) = &self.wal.header else { return };
        self.wal.state = WalState::Usable;
        if part.get(8..16) != Some(&self.salts) {
            self.ended = true;
            self.wal.stale_frames += 1;
            return;
        }
        if !self.ended {
            let sum = checksum(header.big_endian, self.sum, part.get(..8).unwrap_or_default());
            let sum =
                checksum(header.big_endian, sum, part.get(FRAME_HEADER..).unwrap_or_default());
            self.ended = sum != (be32(part, 16), be32(part, 20)) || be32(part, 0) == 0;
            self.sum = sum;
        }
        if self.ended {
            self.wal.torn_frames += 1;
            return;
        }
        self.wal.valid_frames += 1;
        if be32(part, 0) == 1 {
            let header = part.get(FRAME_HEADER..FRAME_HEADER + HEADER_BYTES);
            self.page1 = header.map(cutover_core::hex);
        }
        let pages = be32(part, 4);
        if pages != 0 {
            self.wal.commits += 1;
            self.wal.committed_frames = self.wal.valid_frames;
            self.wal.pages_after = Some(pages);
            self.wal.header_after.clone_from(&self.page1);
            if self
                .wal
                .checkpointed_frames
                .is_none_or(|frames| self.wal.valid_frames > u64::from(frames))
            {
                self.wal.commits_not_checkpointed += 1;
            }
        }
    }
}

/// Reads a whole log.
#[must_use]
pub fn read_wal(bytes: &[u8], shm: Option<&[u8]>) -> Wal {
    let mut reader = WalReader::new(shm);
    reader.feed(bytes);
    reader.finish()
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The running checksum over pairs of words.
fn checksum(big_endian: bool, mut sum: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let word = |bytes: [u8; 4]| {
        if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in bytes.as_chunks::<4>().0.as_chunks::<2>().0 {
        sum.0 = sum.0.wrapping_add(word(pair[0])).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(word(pair[1])).wrapping_add(sum.0);
    }
    sum
}

/// Reads the header of a `-shm`, which has 136 bytes. Nothing where the two copies of it differ,
/// because a writer was killed between them, or where the file is no `-shm`. The words are of the
/// machine's own order, which is little-endian wherever SQLite runs today.
///
/// Layout: <https://www.sqlite.org/walformat.html#the_wal_index_header>.
#[must_use]
pub fn read_shm(shm: &[u8]) -> Option<Shm> {
    let (one, two) = (shm.get(..48)?, shm.get(48..96)?);
    let word = |at: usize| Some(u32::from_le_bytes(shm.get(at..at + 4)?.try_into().ok()?));
    let (frames, checkpointed_frames) = (word(16)?, word(96)?);
    let salts = cutover_core::hex(one.get(32..40)?);
    (one == two && one.get(12) == Some(&1) && checkpointed_frames <= frames).then_some(Shm {
        frames,
        checkpointed_frames,
        salts,
    })
}
