//! The output of a program as lines, however long it is and whatever is in it.

/// So much of a line is kept in memory.
const LONGEST: usize = 16 * 1024;

/// A line that was read, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Whether more of it was not kept.
    pub(super) is_cut: bool,
}

/// Makes lines of what comes in pieces. A carriage return ends one, too: that is how programs draw their progress.
#[derive(Default)]
pub(super) struct Lines {
    kept: Vec<u8>,
    is_cut: bool,
}

impl Lines {
    /// The lines that end in this piece; empty ones are none.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for (at, part) in piece.split(|byte| matches!(byte, b'\n' | b'\r')).enumerate() {
            if at > 0 {
                lines.extend(self.end());
            }
            let room = LONGEST.saturating_sub(self.kept.len());
            self.is_cut |= part.len() > room;
            self.kept.extend_from_slice(&part[..part.len().min(room)]);
        }
        lines
    }

    /// What is left when nothing more comes.
    pub(super) fn end(&mut self) -> Option<Line> {
        let (kept, is_cut) = (std::mem::take(&mut self.kept), std::mem::take(&mut self.is_cut));
        let text = String::from_utf8_lossy(&kept).into_owned();
        (!text.trim().is_empty()).then_some(Line { text, is_cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line { text: text.to_owned(), is_cut: false }
    }

    #[test]
    fn pieces_become_lines() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(b"on"), []);
        assert_eq!(lines.feed(b"e\n\ntwo\r\nthr"), [line("one"), line("two")]);
        assert_eq!(lines.feed(b"ee\r50 %\r"), [line("three"), line("50 %")]);
        assert_eq!(lines.feed(b"\xff end"), []);
        assert_eq!(lines.end(), Some(line("\u{fffd} end")));
        assert_eq!(lines.end(), None);
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_memory_than_one() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            assert_eq!(lines.feed(&[b'x'; 1000]), []);
            assert!(lines.kept.capacity() <= 2 * LONGEST);
        }
        let found = lines.feed(b"\nnext\n");
        assert!(found[0].is_cut && found[0].text.len() == LONGEST);
        assert_eq!(found[1..], [line("next")]);
    }
}
