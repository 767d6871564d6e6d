//! Removes the whitespace that `~` marks and that around tags that are alone on their line. The steps are those of
//! handlebars.js 4.7 (`whitespace-control.js`). Their order matters.

use super::tree::{AstNode, Block, BlockBody, ContentNode, Strip};
use crate::template::number::is_space;

/// How a node affects the whitespace around it.
#[derive(Default)]
struct Space {
    open: bool,
    close: bool,
    /// Whether its first, its last or its only tag could be alone on a line.
    open_standalone: bool,
    close_standalone: bool,
    inline_standalone: bool,
}

impl Space {
    fn of(strip: Strip) -> Self {
        Space { open: strip.open, close: strip.close, ..Space::default() }
    }

    fn inline(strip: Strip) -> Self {
        Space { inline_standalone: true, ..Space::of(strip) }
    }
}

pub fn strip(program: &mut BlockBody) {
    strip_program(program, true);
}

fn strip_program(program: &mut BlockBody, is_root: bool) {
    for i in 0..program.nodes.len() {
        let space = match &mut program.nodes[i] {
            AstNode::Content(_) => continue,
            AstNode::Comment(strip) => Space::inline(*strip),
            AstNode::Mustache(mustache) => Space::of(mustache.strip),
            AstNode::Partial(partial) => Space::inline(partial.open_strip),
            AstNode::Block(block) | AstNode::Inline(block) => strip_block(block),
            AstNode::PartialBlock(partial) => match &mut partial.program {
                Some(program) => {
                    strip_parts(program, None, [partial.open_strip, Strip::default(), partial.close_strip])
                }
                None => Space::default(),
            },
        };
        let body = &mut program.nodes;
        let before = ends_line(body, Some(i), is_root);
        let after = begins_line(body, Some(i), is_root);
        if space.close {
            omit_right(body, Some(i), true);
        }
        if space.open {
            omit_left(body, Some(i), true);
        }
        if space.inline_standalone && before && after {
            omit_right(body, Some(i), false);
            if omit_left(body, Some(i), false) {
                keep_indent(body, i);
            }
        }
        if space.open_standalone && before {
            if let Some(program) = first_program(&mut body[i]) {
                omit_right(&mut program.nodes, None, false);
            }
            omit_left(body, Some(i), false);
        }
        if space.close_standalone && after {
            omit_right(body, Some(i), false);
            if let Some(program) = last_program(&mut body[i]) {
                omit_left(&mut program.nodes, None, false);
            }
        }
    }
}

fn first_program(node: &mut AstNode) -> Option<&mut BlockBody> {
    match node {
        AstNode::Block(block) | AstNode::Inline(block) => block.program.as_mut().or(block.inverse.as_mut()),
        AstNode::PartialBlock(partial) => partial.program.as_mut(),
        _ => None,
    }
}

fn last_program(node: &mut AstNode) -> Option<&mut BlockBody> {
    match node {
        AstNode::Block(block) | AstNode::Inline(block) => block.inverse.as_mut().or(block.program.as_mut()),
        AstNode::PartialBlock(partial) => partial.program.as_mut(),
        _ => None,
    }
}

/// The whitespace before a partial's tag precedes each of its lines.
fn keep_indent(body: &mut [AstNode], i: usize) {
    let Some(AstNode::Content(ContentNode { original, .. })) = i.checked_sub(1).and_then(|before| body.get(before))
    else {
        return;
    };
    let words = original.trim_end_matches([' ', '\t']);
    let indent = original[words.len()..].to_owned();
    if let Some(AstNode::Partial(partial)) = body.get_mut(i) {
        partial.indent = indent;
    }
}

fn strip_block(block: &mut Block) -> Space {
    let strips = [block.open_strip, block.inverse_strip, block.close_strip];
    match (&mut block.program, &mut block.inverse) {
        (Some(program), inverse) => strip_parts(program, inverse.as_mut(), strips),
        (None, Some(program)) => strip_parts(program, None, strips),
        (None, None) => Space::default(),
    }
}

fn strip_parts(program: &mut BlockBody, mut inverse: Option<&mut BlockBody>, strips: [Strip; 3]) -> Space {
    let [open, between, close] = strips;
    strip_program(program, false);
    if let Some(inverse) = &mut inverse {
        strip_program(inverse, false);
    }
    let first = |inverse: &mut BlockBody, read: &mut dyn FnMut(&mut BlockBody)| match inverse.chained {
        true => {
            if let Some(AstNode::Block(block)) = inverse.nodes.first_mut()
                && let Some(program) = &mut block.program
            {
                read(program);
            }
        }
        false => read(inverse),
    };
    let mut close_standalone = false;
    match &mut inverse {
        Some(inverse) => first(inverse, &mut |program| close_standalone = ends_line(&program.nodes, None, false)),
        None => close_standalone = ends_line(&program.nodes, None, false),
    }
    let open_standalone = begins_line(&program.nodes, None, false);
    let space =
        Space { open: open.open, close: close.close, open_standalone, close_standalone, inline_standalone: false };
    if open.close {
        omit_right(&mut program.nodes, None, true);
    }
    let Some(inverse) = inverse else {
        if close.open {
            omit_left(&mut program.nodes, None, true);
        }
        return space;
    };
    if between.open {
        omit_left(&mut program.nodes, None, true);
    }
    if between.close {
        first(inverse, &mut |program| omit_right(&mut program.nodes, None, true));
    }
    if close.open {
        // As in handlebars.js that is behind the first condition of a chain, not behind its `{{else}}`.
        first(inverse, &mut |program| {
            omit_left(&mut program.nodes, None, true);
        });
    }
    let ends = ends_line(&program.nodes, None, false);
    first(inverse, &mut |in_first| {
        if ends && begins_line(&in_first.nodes, None, false) {
            omit_left(&mut program.nodes, None, false);
            omit_right(&mut in_first.nodes, None, false);
        }
    });
    space
}

fn content(body: &[AstNode], i: Option<usize>) -> Option<&ContentNode> {
    match body.get(i?)? {
        AstNode::Content(content) => Some(content),
        _ => None,
    }
}

/// Whether the text before the node `i`, or at the end, ends a line.
fn ends_line(body: &[AstNode], i: Option<usize>, is_root: bool) -> bool {
    let i = i.unwrap_or(body.len());
    if i == 0 {
        return is_root;
    }
    let Some(before) = content(body, i.checked_sub(1)) else { return false };
    let words = before.original.trim_end_matches(is_space);
    let space = &before.original[words.len()..];
    space.contains('\n') || (i < 2 && is_root && words.is_empty())
}

/// Whether the text behind the node `i`, or at the beginning, begins with a line break.
fn begins_line(body: &[AstNode], i: Option<usize>, is_root: bool) -> bool {
    let next = i.map_or(0, |i| i + 1);
    if next >= body.len() {
        return is_root;
    }
    let Some(after) = content(body, Some(next)) else { return false };
    let words = after.original.trim_start_matches(is_space);
    let space = &after.original[..after.original.len() - words.len()];
    space.contains('\n') || (next + 1 >= body.len() && is_root && words.is_empty())
}

/// Removes whitespace from behind the node `i`, or from the beginning: all of it, or up to the line break.
fn omit_right(body: &mut [AstNode], i: Option<usize>, all: bool) {
    let Some(AstNode::Content(content)) = body.get_mut(i.map_or(0, |i| i + 1)) else { return };
    if !all && content.right_stripped {
        return;
    }
    let value = content.value();
    let left = match all {
        true => value.trim_start_matches(is_space),
        false => {
            let rest = value.trim_start_matches([' ', '\t']);
            let rest = rest.strip_prefix('\r').unwrap_or(rest);
            rest.strip_prefix('\n').unwrap_or(rest)
        }
    };
    let taken = value.len() - left.len();
    content.from += taken;
    content.right_stripped = taken > 0;
}

/// Removes whitespace before the node `i`, or at the end, and returns whether there was any: all of it, or that of the
/// line.
fn omit_left(body: &mut [AstNode], i: Option<usize>, all: bool) -> bool {
    let Some(place) = i.unwrap_or(body.len()).checked_sub(1) else { return false };
    let Some(AstNode::Content(content)) = body.get_mut(place) else { return false };
    if !all && content.left_stripped {
        return false;
    }
    let value = content.value();
    let left = if all { value.trim_end_matches(is_space) } else { value.trim_end_matches([' ', '\t']) };
    let taken = value.len() - left.len();
    content.to -= taken;
    content.left_stripped = taken > 0;
    content.left_stripped
}
