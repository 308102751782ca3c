//! Cutting what one speaker says without a pause into captions.

use super::{
    CaptionSettings,
    atoms::{Atom, Piece, push_pieces},
    lines::{Fill, joined, wrap},
    partition::cheapest,
    script::{Ending, ending, stays},
};

/// A silence after which a sentence most likely ends, in milliseconds.
const BREATH_MS: u64 = 300;

/// What one speaker says without a pause.
pub(super) struct Run<'r, 'a> {
    atoms: &'r [Atom<'a>],
    pieces: Vec<Piece<'r>>,
    /// Where the pieces of each atom begin, and where those of the last one end.
    firsts: Vec<usize>,
    name: Option<Piece<'r>>,
    /// When somebody speaks next.
    next_ms: Option<u64>,
    settings: &'r CaptionSettings,
}

impl<'r, 'a> Run<'r, 'a> {
    /// `name` stands before the text of the first caption. It is left out where it alone would take
    /// a line too many.
    pub(super) fn new(
        atoms: &'r [Atom<'a>],
        name: Option<&'r str>,
        next_ms: Option<u64>,
        settings: &'r CaptionSettings,
    ) -> Self {
        let mut pieces = Vec::with_capacity(atoms.len());
        let mut firsts = Vec::with_capacity(atoms.len() + 1);
        for (at, atom) in atoms.iter().enumerate() {
            firsts.push(pieces.len());
            push_pieces(&mut pieces, &atom.text, atom.joined && at > 0, settings.chars_per_line());
        }
        firsts.push(pieces.len());
        let name = name.map(|text| Piece {
            text,
            chars: text.chars().count(),
            joined: false,
            continues: false,
        });
        let mut run = Self { atoms, pieces, firsts, name, next_ms, settings };
        let (named, lines) = (run.filled(0, 1).lines, settings.lines());
        let name = run.name.take();
        if named <= lines || run.filled(0, 1).lines > lines {
            run.name = name;
        }
        run
    }

    /// The captions: how many atoms each takes, and its lines, or its text as one line.
    pub(super) fn captions(&self, as_one: bool) -> impl Iterator<Item = (usize, Vec<String>)> {
        let (most, lines) = (self.settings.chars_per_line(), self.settings.lines());
        let ends = cheapest(self.atoms.len(), |from, offer| self.offers(from, offer));
        let mut from = 0;
        ends.into_iter().map(move |to| {
            let pieces = &self.pieces[self.firsts[from]..self.firsts[to]];
            let named: Vec<Piece<'_>>;
            let pieces = match self.name.filter(|_| from == 0) {
                None => pieces,
                Some(name) => {
                    named = [&[name], pieces].concat();
                    &named
                }
            };
            let taken = to - from;
            from = to;
            (taken, if as_one { vec![joined(pieces)] } else { wrap(pieces, most, lines) })
        })
    }

    fn filled(&self, from: usize, to: usize) -> Fill {
        let mut fill = Fill::new(self.settings.chars_per_line());
        let name = self.name.iter().filter(|_| from == 0);
        let pieces = &self.pieces[self.firsts[from]..self.firsts[to]];
        for piece in name.chain(pieces) {
            fill.push(piece);
        }
        fill
    }

    /// Every end that a caption from `from` on may have. A single atom may always be one.
    fn offers(&self, from: usize, offer: &mut dyn FnMut(usize, u64)) {
        let start_ms = self.atoms[from].start_ms;
        let mut end_ms = start_ms;
        let mut fill = self.filled(from, from);
        for to in from + 1..=self.atoms.len() {
            for piece in &self.pieces[self.firsts[to - 1]..self.firsts[to]] {
                fill.push(piece);
            }
            end_ms = end_ms.max(self.atoms[to - 1].end_ms);
            let fits = fill.lines <= self.settings.lines()
                && end_ms - start_ms <= self.settings.longest_ms();
            if !fits && to > from + 1 {
                break;
            }
            offer(to, self.cost(start_ms, end_ms, to, fill.chars));
            if !fits {
                break;
            }
        }
    }

    /// What a caption costs that ends before atom `to`: by where it breaks, by how little it
    /// holds, and by how much too short it stands.
    fn cost(&self, start_ms: u64, end_ms: u64, to: usize, chars: usize) -> u64 {
        const CAPTION: u64 = 30;
        let settings = self.settings;
        let third = settings.chars_per_line() * settings.lines() / 3;
        let sparse = missing(chars as u64, third as u64, 30);
        let next_ms = self.atoms.get(to).map(|next| next.start_ms).or(self.next_ms);
        let room = next_ms.map_or(u64::MAX, |next| next.saturating_sub(start_ms));
        let room = room.min(settings.longest_ms()).max(end_ms - start_ms);
        let brief = missing(room, settings.shortest_ms(), 40);
        let fast = missing(room, reading_ms(chars, settings), 40);
        CAPTION + self.broken(to) + sparse + brief + fast
    }

    fn broken(&self, to: usize) -> u64 {
        let (Some(last), Some(next)) = (self.atoms.get(to - 1), self.atoms.get(to)) else {
            return 0;
        };
        if stays(&last.text, &next.text, next.joined) {
            return 1_000;
        }
        match ending(&last.text) {
            Ending::Sentence => 0,
            _ if next.start_ms - last.end_ms.min(next.start_ms) >= BREATH_MS => 15,
            Ending::Clause => 25,
            Ending::Open => 60,
        }
    }
}

/// How long it takes to read so many characters, rounded up.
pub(super) fn reading_ms(chars: usize, settings: &CaptionSettings) -> u64 {
    (chars as u64 * 1_000).div_ceil(settings.chars_per_second())
}

/// `full` for nothing, 0 for all that is wanted.
fn missing(there: u64, wanted: u64, full: u64) -> u64 {
    if there >= wanted { 0 } else { (wanted - there) * full / wanted }
}
