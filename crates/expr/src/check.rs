//! What an expression consists of, and that nothing in it is without a bound.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{ComprehensionExpr, Expr};

/// Functions whose result is at most as large as their arguments together. `join`, `replace` and `format` are not: chained,
/// they square what they are given.
const FUNCTIONS: [&str; 19] = [
    "bool",
    "charAt",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "indexOf",
    "int",
    "lastIndexOf",
    "lowerAscii",
    "reverse",
    "size",
    "split",
    "startsWith",
    "string",
    "substring",
    "trim",
    "type",
    "upperAscii",
];

/// What an expression consists of.
pub(crate) struct Shape {
    /// The names that are not its own.
    pub(crate) names: BTreeSet<String>,
    parts: u64,
    loops: bool,
    splits: bool,
}

impl Shape {
    /// The most that it does with values of so many bytes, and lists of so many elements. Every part can hold all values
    /// once: so large is a text that is put together, so long is a list, and a text that is split has as many elements as
    /// bytes. A loop does that for each element, with elements that were put together before.
    pub(crate) const fn work(&self, bytes: u64, elements: u64) -> u64 {
        let each = self.parts.saturating_mul(bytes);
        if !self.loops {
            return each;
        }
        let split = if self.splits { each } else { 0 };
        let elements = self.parts.saturating_mul(elements).saturating_add(self.parts).saturating_add(split);
        each.saturating_mul(elements)
    }
}

/// What the expression consists of; the error says what it may not have.
pub(crate) fn shape(of: &IdedExpr) -> Result<Shape, String> {
    let mut shape = Shape { names: BTreeSet::new(), parts: 0, loops: false, splits: false };
    visit(of, &[], &mut shape)?;
    Ok(shape)
}

/// `own` are the names of the loop that it is in.
fn visit(of: &IdedExpr, own: &[&str], shape: &mut Shape) -> Result<(), String> {
    shape.parts += 1;
    match &of.expr {
        Expr::Unspecified => Err("a part of it is missing".to_owned()),
        Expr::Literal(_) => Ok(()),
        Expr::Ident(name) => {
            if !own.contains(&name.as_str()) {
                shape.names.insert(name.clone());
            }
            Ok(())
        }
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            let is_operator =
                name.contains('_') && !name.contains(|c: char| c.is_alphanumeric()) || name.starts_with('@');
            if !is_operator && !FUNCTIONS.contains(&name) {
                return Err(format!("there is no function `{name}`; there are {}", FUNCTIONS.join(", ")));
            }
            shape.splits |= name == "split";
            call.target.iter().try_for_each(|target| visit(target, own, shape))?;
            call.args.iter().try_for_each(|argument| visit(argument, own, shape))
        }
        Expr::Comprehension(comprehension) => {
            if !own.is_empty() {
                return Err("a loop (`map`, `filter`, `all`, `exists`) may not stand within another".to_owned());
            }
            goes_through(comprehension, shape)
        }
        Expr::List(list) => list.elements.iter().try_for_each(|element| visit(element, own, shape)),
        Expr::Select(select) => visit(&select.operand, own, shape),
        Expr::Map(_) | Expr::Struct(_) => Err("it may not make a map: the order of one is chance".to_owned()),
    }
}

fn goes_through(of: &ComprehensionExpr, shape: &mut Shape) -> Result<(), String> {
    // What one loop makes, another would make larger, and so on.
    if shape.loops {
        return Err("there may be one loop (`map`, `filter`, `all`, `exists`) only".to_owned());
    }
    shape.loops = true;
    visit(&of.iter_range, &[], shape)?;
    let mut own = vec![of.iter_var.as_str(), of.accu_var.as_str()];
    own.extend(of.iter_var2.as_deref());
    [&of.accu_init, &of.loop_cond, &of.loop_step, &of.result].into_iter().try_for_each(|part| visit(part, &own, shape))
}
