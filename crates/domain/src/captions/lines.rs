//! Breaking the text of one caption into lines.

use super::{
    atoms::Piece,
    partition::cheapest,
    script::{Ending, ending, stays},
};

/// Lines as they fill up when each takes as much as it can, which makes the fewest.
#[derive(Clone, Copy)]
pub(super) struct Fill {
    most: usize,
    width: usize,
    /// How many lines there are.
    pub(super) lines: usize,
    /// How many characters there are, spaces included.
    pub(super) chars: usize,
}

impl Fill {
    /// No lines yet; none will have more than `most` characters.
    pub(super) fn new(most: usize) -> Self {
        Self { most, width: 0, lines: 0, chars: 0 }
    }

    /// Adds a piece, and says whether a line begins with it.
    pub(super) fn push(&mut self, piece: &Piece<'_>) -> bool {
        let space = usize::from(!piece.joined);
        let begins = self.lines == 0 || self.width + space + piece.chars > self.most;
        if begins {
            self.chars += piece.chars + usize::from(self.lines > 0);
            self.lines += 1;
            self.width = piece.chars;
        } else {
            self.width += space + piece.chars;
            self.chars += space + piece.chars;
        }
        begins
    }
}

/// Breaks a caption into the fewest lines of at most `most` characters. As long as there are no
/// more than `lines`, they are of much the same length and break where the text does.
pub(super) fn wrap(pieces: &[Piece<'_>], most: usize, lines: usize) -> Vec<String> {
    let mut fill = Fill::new(most);
    let begins: Vec<usize> = (0..pieces.len()).filter(|at| fill.push(&pieces[*at])).collect();
    let ends = if fill.lines <= 1 || fill.lines > lines {
        begins.into_iter().skip(1).chain([pieces.len()]).collect()
    } else {
        cheapest(pieces.len(), |from, offer| balanced(pieces, most, from, offer))
    };
    let mut from = 0;
    let mut lines = Vec::with_capacity(ends.len());
    for to in ends {
        lines.push(joined(&pieces[from..to]));
        from = to;
    }
    lines
}

/// Every end that a line from `from` on may have. Squares make long and short lines dearer than
/// even ones; a line more is dearer than anything.
fn balanced(pieces: &[Piece<'_>], most: usize, from: usize, offer: &mut dyn FnMut(usize, u64)) {
    const LINE: u64 = 1 << 32;
    let mut fill = Fill::new(most);
    for to in from + 1..=pieces.len() {
        fill.push(&pieces[to - 1]);
        if fill.lines > 1 {
            break;
        }
        let slack = most - fill.width;
        let cost = slack * slack + broken(&pieces[to - 1], pieces.get(to), most);
        offer(to, LINE + cost as u64);
    }
}

/// What it costs to break between two pieces.
fn broken(last: &Piece<'_>, next: Option<&Piece<'_>>, most: usize) -> usize {
    let square = most * most;
    match next {
        None => 0,
        Some(next) if next.continues => 0,
        Some(next) if stays(last.text, next.text, next.joined) => 4 * square,
        Some(_) => match ending(last.text) {
            Ending::Sentence => 0,
            Ending::Clause => square / 16,
            Ending::Open => square / 4,
        },
    }
}

/// The text on one line.
pub(super) fn joined(pieces: &[Piece<'_>]) -> String {
    let bytes = pieces.iter().map(|piece| piece.text.len() + 1).sum();
    let mut line = String::with_capacity(bytes);
    for piece in pieces {
        if !line.is_empty() && !piece.joined {
            line.push(' ');
        }
        line.push_str(piece.text);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::wrap;
    use crate::captions::atoms::push_pieces;

    fn lines(text: &str, most: usize, lines: usize) -> Vec<String> {
        let mut pieces = Vec::new();
        push_pieces(&mut pieces, text, false, most);
        wrap(&pieces, most, lines)
    }

    #[test]
    fn what_fits_on_a_line_stays_on_it() {
        assert_eq!(lines("0123456789", 10, 2), ["0123456789"]);
    }

    #[test]
    fn lines_are_of_much_the_same_length() {
        let text = "the quick brown fox jumps over the dog";
        assert_eq!(lines(text, 30, 2), ["the quick brown fox", "jumps over the dog"]);
    }

    #[test]
    fn lines_break_where_sentences_and_clauses_do() {
        assert_eq!(lines("Well, no. That is not it", 20, 2), ["Well, no.", "That is not it"]);
        assert_eq!(
            lines("if it rains, we stay at home", 20, 2),
            ["if it rains,", "we stay at home"]
        );
    }

    #[test]
    fn a_word_that_is_too_long_goes_on_in_the_next_line() {
        assert_eq!(lines("so 0123456789abc no", 10, 3), ["so", "0123456789", "abc no"]);
    }

    #[test]
    fn no_line_begins_with_what_closes_the_one_before() {
        let mut pieces = Vec::new();
        for c in ["今", "日", "は", "天", "気", "が", "。", "い", "い"] {
            push_pieces(&mut pieces, c, true, 6);
        }
        assert_eq!(wrap(&pieces, 6, 2), ["今日は天", "気が。いい"]);
    }
}
