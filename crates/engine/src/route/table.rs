//! Texts by place, each with the services that look for it: whole ones by hash, all others in radix trees.
//!
//! Letters are compared without case. Nothing here allocates while looking.

use plan::pattern::Place;

use super::candidates::Found;

/// What one subject is looked up in.
#[derive(Debug, Default)]
pub(super) struct Table {
    whole: Hash,
    starts: Tree,
    /// The texts from their last byte to their first.
    ends: Tree,
    anywhere: Option<Anywhere>,
}

/// A text and the services that look for it, in their order.
pub(super) type Entry = (Box<[u8]>, Box<[u32]>);

impl Table {
    /// Makes one of texts in lower case, each once for each place.
    pub(super) fn new(entries: impl IntoIterator<Item = (Place, Entry)>) -> Table {
        let (mut whole, mut starts, mut ends, mut anywhere) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (place, entry) in entries {
            match place {
                Place::Whole => whole.push(entry),
                Place::Start => starts.push(entry),
                Place::End => ends.push((entry.0.iter().rev().copied().collect(), entry.1)),
                Place::Anywhere => anywhere.push(entry),
            }
        }
        Table {
            whole: Hash::new(whole),
            starts: Tree::new(starts),
            ends: Tree::new(ends),
            anywhere: Anywhere::new(anywhere),
        }
    }

    /// Adds the services of every text that is in `subject`.
    pub(super) fn look<'i>(&'i self, subject: &[u8], found: &mut Found<'i>) {
        self.whole.look(subject, found);
        self.starts.look(subject.iter(), found);
        self.ends.look(subject.iter().rev(), found);
        if let Some(anywhere) = &self.anywhere {
            anywhere.look(subject, found);
        }
    }
}

/// Whole texts. The operator chose them, and a client can only ask for them, so nobody can fill the table with texts
/// that collide: the hash needs no secret.
#[derive(Debug, Default)]
struct Hash {
    /// Numbers of entries from 1 on; 0 is free. At least half of them are free, so that every search ends soon.
    slots: Box<[u32]>,
    entries: Vec<Entry>,
    longest: usize,
}

impl Hash {
    fn new(entries: Vec<Entry>) -> Hash {
        if entries.is_empty() {
            return Hash::default();
        }
        let mut slots = vec![0; (2 * entries.len()).next_power_of_two()].into_boxed_slice();
        for (index, (text, _)) in entries.iter().enumerate() {
            let mut at = hash(text);
            while slots[at & (slots.len() - 1)] != 0 {
                at = at.wrapping_add(1);
            }
            slots[at & (slots.len() - 1)] = index as u32 + 1;
        }
        let longest = entries.iter().map(|(text, _)| text.len()).max().unwrap_or_default();
        Hash { slots, entries, longest }
    }

    fn look<'i>(&'i self, subject: &[u8], found: &mut Found<'i>) {
        if self.slots.is_empty() || subject.len() > self.longest {
            return;
        }
        let mut at = hash(subject);
        while let Some(entry) = self.slots.get(at & (self.slots.len() - 1)).filter(|entry| **entry != 0) {
            let (text, services) = &self.entries[*entry as usize - 1];
            if text.eq_ignore_ascii_case(subject) {
                return found.add(services);
            }
            at = at.wrapping_add(1);
        }
    }
}

/// FNV-1a over the bytes in lower case, its halves mixed at the end.
fn hash(text: &[u8]) -> usize {
    let step = |hash: u64, byte: &u8| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0000_0100_0000_01b3)
    };
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325, step);
    (hash ^ hash >> 32) as usize
}

/// A radix tree: texts that begin alike share their beginning. Looking up all that a subject begins with takes one
/// step for each node on its way, however many texts there are.
#[derive(Debug, Default)]
struct Tree {
    /// The root first, the children of a node side by side. Empty if there is no text.
    nodes: Vec<Node>,
    /// For each node the first byte of its label, so that one search over bytes finds a child.
    firsts: Vec<u8>,
}

#[derive(Debug, Default)]
struct Node {
    /// What follows the parent's text, the first byte included.
    label: Box<[u8]>,
    /// The services of the text that ends here.
    services: Box<[u32]>,
    first_child: u32,
    children: u32,
}

impl Tree {
    fn new(mut entries: Vec<Entry>) -> Tree {
        if entries.is_empty() {
            return Tree::default();
        }
        entries.sort();
        let mut tree = Tree { nodes: vec![Node::default()], firsts: vec![0] };
        // Nodes whose children are still to be made: which entries are below, and how much of them the node has.
        let mut open = std::collections::VecDeque::from([(0, 0..entries.len(), 0)]);
        while let Some((node, mut below, depth)) = open.pop_front() {
            if let Some(entry) = entries[below.clone()].first_mut().filter(|entry| entry.0.len() == depth) {
                tree.nodes[node].services = std::mem::take(&mut entry.1);
                below.start += 1;
            }
            tree.nodes[node].first_child = tree.nodes.len() as u32;
            while let Some((first, _)) = entries[below.clone()].first() {
                let byte = first[depth];
                let count = entries[below.clone()].iter().take_while(|entry| entry.0[depth] == byte).count();
                let group = below.start..below.start + count;
                below.start = group.end;
                // Sorted, so what the outermost share, all share.
                let last = &entries[group.end - 1].0;
                let shared =
                    first.iter().zip(last).skip(depth).take_while(|(one, other)| one == other).count();
                tree.firsts.push(byte);
                let label = first[depth..depth + shared].into();
                open.push_back((tree.nodes.len(), group, depth + shared));
                tree.nodes.push(Node { label, ..Node::default() });
                tree.nodes[node].children += 1;
            }
        }
        tree
    }

    fn look<'i, 's>(&'i self, mut subject: impl Iterator<Item = &'s u8>, found: &mut Found<'i>) {
        let Some(mut node) = self.nodes.first() else { return };
        loop {
            if !node.services.is_empty() {
                found.add(&node.services);
            }
            if node.children == 0 {
                return;
            }
            let Some(byte) = subject.next() else { return };
            let first = node.first_child as usize;
            let children = &self.firsts[first..first + node.children as usize];
            let Some(at) = memchr::memchr(byte.to_ascii_lowercase(), children) else { return };
            node = &self.nodes[first + at];
            for expected in &node.label[1..] {
                if subject.next().map(u8::to_ascii_lowercase) != Some(*expected) {
                    return;
                }
            }
        }
    }
}

/// Texts that may stand anywhere: all are looked for in one pass over the subject, from every byte with which one of
/// them begins. Texts are short (`Need`), so a pass takes no more than some steps for each byte.
///
/// An automaton that never looks at a byte twice (Aho-Corasick) is no faster on lines of some hundred bytes, and the
/// one that there is takes as long to make of 10 000 texts as all the rest of the start.
#[derive(Debug)]
struct Anywhere {
    tree: Tree,
    /// Whether a text begins with this byte, in either case.
    begins: Box<[bool; 256]>,
}

impl Anywhere {
    /// `None` if there is nothing to look for.
    fn new(entries: Vec<Entry>) -> Option<Anywhere> {
        let mut begins = Box::new([false; 256]);
        for (text, _) in &entries {
            let first = *text.first()?;
            begins[usize::from(first)] = true;
            begins[usize::from(first.to_ascii_uppercase())] = true;
        }
        (!entries.is_empty()).then(|| Anywhere { tree: Tree::new(entries), begins })
    }

    fn look<'i>(&'i self, subject: &[u8], found: &mut Found<'i>) {
        for (at, byte) in subject.iter().enumerate() {
            if self.begins[usize::from(*byte)] && !found.is_overflown() {
                self.tree.look(subject[at..].iter(), found);
            }
        }
    }
}
