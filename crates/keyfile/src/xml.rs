//! A small XML tree with hard limits, for both documents of a key file.
//!
//! One tree serves reading and signature checking, so that what is checked is what is read. Refused outright:
//! DOCTYPE (and with it every entity of one's own), processing instructions, encodings other than UTF-8.
//! All text is zeroed when dropped, since the inner document holds keys.

use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{KeyFileError, Part};

/// How much of everything a document may have.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Elements in all.
    pub(crate) elements: usize,
    /// Elements within elements.
    pub(crate) depth: usize,
    /// Attributes and namespace declarations of one element.
    pub(crate) attributes: usize,
    /// Bytes of one name.
    pub(crate) name: usize,
}

/// An element with its namespace resolved.
pub(crate) struct Element {
    pub(crate) prefix: Rc<str>,
    pub(crate) local: Rc<str>,
    /// Empty for none.
    pub(crate) namespace: Rc<str>,
    pub(crate) attributes: Vec<Attribute>,
    /// Namespaces declared here: prefix (empty for the default) and name (empty for none).
    pub(crate) declarations: Vec<(Rc<str>, Rc<str>)>,
    pub(crate) children: Vec<Node>,
}

/// An attribute that declares no namespace.
pub(crate) struct Attribute {
    pub(crate) prefix: Rc<str>,
    pub(crate) local: Rc<str>,
    pub(crate) namespace: Rc<str>,
    pub(crate) value: Zeroizing<String>,
}

/// What an element holds. Neighbouring texts are one text, also across comments and CDATA.
pub(crate) enum Node {
    Element(Element),
    Text(Zeroizing<String>),
}

impl Element {
    /// The child elements.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(e) => Some(e),
            Node::Text(_) => None,
        })
    }

    /// This element and all elements in it, in document order.
    pub(crate) fn descendants(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let next = open.pop()?;
            let at = open.len();
            open.extend(next.elements());
            if let Some(new) = open.get_mut(at..) {
                new.reverse();
            }
            Some(next)
        })
    }

    /// The descendants of one local name, this element not among them.
    pub(crate) fn all<'a>(&'a self, local: &'a str) -> impl Iterator<Item = &'a Self> {
        self.descendants().skip(1).filter(move |e| &*e.local == local)
    }

    /// The value of an attribute without prefix.
    pub(crate) fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.prefix.is_empty() && &*a.local == local).map(|a| a.value.as_str())
    }

    /// The text of an element that holds text only, without blanks around it.
    pub(crate) fn text(&self) -> Option<&str> {
        match self.children.as_slice() {
            [] => Some(""),
            [Node::Text(text)] => Some(text.trim()),
            _ => None,
        }
    }

    fn push_text(&mut self, text: &str) {
        if let Some(Node::Text(before)) = self.children.last_mut() {
            if before.capacity() - before.len() < text.len() {
                // Grown by hand, since `push_str` could move the text and leave a copy behind.
                let mut grown = Zeroizing::new(String::with_capacity(2 * (before.len() + text.len())));
                grown.push_str(before);
                *before = grown;
            }
            before.push_str(text);
        } else if !text.is_empty() {
            self.children.push(Node::Text(Zeroizing::new(text.to_owned())));
        }
    }
}

/// Reads a whole document.
pub(crate) fn parse(text: &str, part: Part, limits: Limits) -> Result<Element, KeyFileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text
        .chars()
        .any(|c| (c.is_control() && !matches!(c, '\t' | '\n' | '\r')) || c == '\u{fffe}' || c == '\u{ffff}')
    {
        return Err(KeyFileError::Xml { part, reason: "a character that XML does not allow" });
    }
    let unified = unify_line_ends(text);
    Builder { part, limits, elements: 0, open: Vec::new(), root: None, names: Vec::new() }
        .read(unified.as_ref().map_or(text, |t| t.as_str()))
}

/// XML 1.0 clause 2.11: every kind of line end reads as a line feed.
fn unify_line_ends(text: &str) -> Option<Zeroizing<String>> {
    text.contains('\r').then(|| {
        let mut out = Zeroizing::new(String::with_capacity(text.len()));
        let mut rest = text;
        while let Some((line, after)) = rest.split_once('\r') {
            out.push_str(line);
            out.push('\n');
            rest = after.strip_prefix('\n').unwrap_or(after);
        }
        out.push_str(rest);
        out
    })
}

struct Builder {
    part: Part,
    limits: Limits,
    elements: usize,
    open: Vec<Element>,
    root: Option<Element>,
    /// Names seen, so that a document of many like elements stores each name once.
    names: Vec<Rc<str>>,
}

impl Builder {
    fn bad(&self, reason: &'static str) -> KeyFileError {
        KeyFileError::Xml { part: self.part, reason }
    }

    fn too_much(&self, what: &'static str, limit: usize) -> KeyFileError {
        KeyFileError::TooMuch { part: self.part, what, limit }
    }

    fn read(mut self, text: &str) -> Result<Element, KeyFileError> {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        let mut first = true;
        loop {
            let event = reader.read_event().map_err(|_| self.bad("tags do not match or are cut short"))?;
            match event {
                Event::Decl(declaration) if first => self.declaration(&declaration)?,
                Event::Decl(_) | Event::PI(_) => return Err(self.bad("a processing instruction")),
                Event::DocType(_) => return Err(KeyFileError::Doctype(self.part)),
                Event::Start(tag) => self.start(&tag)?,
                Event::End(_) => self.end()?,
                Event::Text(text) => self.text(&text)?,
                Event::CData(text) => self.text(&text)?,
                Event::GeneralRef(reference) => {
                    let mut buffer = [0; 4];
                    let character = self.reference(&reference)?;
                    self.text(character.encode_utf8(&mut buffer))?;
                    buffer.zeroize();
                }
                Event::Comment(_) => {}
                Event::Empty(_) => return Err(self.bad("an empty element")), // expanded by the reader
                Event::Eof => break,
            }
            first = false;
        }
        if !self.open.is_empty() {
            return Err(self.bad("it ends within an element"));
        }
        let part = self.part;
        self.root.ok_or(KeyFileError::Xml { part, reason: "it has no element" })
    }

    fn declaration(&self, declaration: &BytesDecl<'_>) -> Result<(), KeyFileError> {
        if declaration.version().is_ok_and(|v| v != "1.0") {
            return Err(self.bad("another version than XML 1.0"));
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
            Some(_) => Err(self.bad("another encoding than UTF-8")),
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), KeyFileError> {
        if self.root.is_some() {
            return Err(self.bad("more than one root element"));
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(self.too_much("elements", self.limits.elements));
        }
        if self.open.len() >= self.limits.depth {
            return Err(self.too_much("levels of elements", self.limits.depth));
        }
        let (prefix, local) = self.name(tag.name().as_ref())?;
        let mut element = Element {
            prefix,
            local,
            namespace: self.intern(""),
            attributes: Vec::new(),
            declarations: Vec::new(),
            children: Vec::new(),
        };
        for (count, attribute) in tag.attributes().enumerate() {
            if count >= self.limits.attributes {
                return Err(self.too_much("attributes in one element", self.limits.attributes));
            }
            let attribute = attribute.map_err(|_| self.bad("an attribute"))?;
            if attribute.value.contains('<') {
                return Err(self.bad("an attribute"));
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|_| self.bad("an attribute"))?
                .into_owned();
            let value = Zeroizing::new(value);
            let (prefix, local) = self.name(attribute.key.as_ref())?;
            if prefix.is_empty() && &*local == "xmlns" {
                let (prefix, uri) = (self.intern(""), self.intern(&value));
                element.declarations.push((prefix, uri));
            } else if &*prefix == "xmlns" {
                if matches!(&*local, "xml" | "xmlns") || value.is_empty() {
                    return Err(self.bad("a namespace declaration"));
                }
                let uri = self.intern(&value);
                element.declarations.push((local, uri));
            } else {
                let namespace = self.intern("");
                element.attributes.push(Attribute { prefix, local, namespace, value });
            }
        }
        self.open.push(element);
        self.resolve()
    }

    /// Resolves the prefixes of the element just opened.
    fn resolve(&mut self) -> Result<(), KeyFileError> {
        let Some(mut element) = self.open.pop() else { return Ok(()) };
        let unbound = KeyFileError::Xml { part: self.part, reason: "a prefix without namespace" };
        let look_up = |prefix: &str| -> Option<Rc<str>> {
            if prefix == "xml" {
                return Some(Rc::from("http://www.w3.org/XML/1998/namespace"));
            }
            let here = element.declarations.iter();
            let around = self.open.iter().rev().flat_map(|e| e.declarations.iter());
            here.chain(around).find(|(p, _)| &**p == prefix).map(|(_, uri)| Rc::clone(uri))
        };
        let namespace = match look_up(&element.prefix) {
            Some(uri) => uri,
            None if element.prefix.is_empty() => Rc::from(""),
            None => return Err(unbound),
        };
        let mut resolved = Vec::with_capacity(element.attributes.len());
        for attribute in &element.attributes {
            resolved.push(match attribute.prefix.is_empty() {
                true => Rc::from(""),
                false => look_up(&attribute.prefix).ok_or_else(|| unbound.clone())?,
            });
        }
        element.namespace = namespace;
        for (attribute, namespace) in element.attributes.iter_mut().zip(resolved) {
            attribute.namespace = namespace;
        }
        for (i, a) in element.attributes.iter().enumerate() {
            if element.attributes.iter().skip(i + 1).any(|b| a.local == b.local && a.namespace == b.namespace)
            {
                return Err(self.bad("an attribute given twice"));
            }
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) -> Result<(), KeyFileError> {
        let element = self.open.pop().ok_or_else(|| self.bad("an end tag without start"))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), KeyFileError> {
        match self.open.last_mut() {
            Some(element) => element.push_text(text),
            None if text.chars().all(|c| c.is_ascii_whitespace()) => {}
            None => return Err(self.bad("text outside the root element")),
        }
        Ok(())
    }

    /// A character reference or one of the five entities that XML itself defines.
    fn reference(&self, reference: &BytesRef<'_>) -> Result<char, KeyFileError> {
        if reference.is_char_ref() {
            return match reference.resolve_char_ref() {
                Ok(Some(c)) if !c.is_control() || matches!(c, '\t' | '\n' | '\r') => Ok(c),
                _ => Err(self.bad("a character reference")),
            };
        }
        match &**reference {
            "amp" => Ok('&'),
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            _ => Err(self.bad("an entity that is not defined")),
        }
    }

    /// Splits `prefix:local`; only the ASCII names that key files have.
    fn name(&mut self, name: &str) -> Result<(Rc<str>, Rc<str>), KeyFileError> {
        if name.len() > self.limits.name {
            return Err(self.too_much("bytes in one name", self.limits.name));
        }
        let plain = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        };
        let (prefix, local) = match name.split_once(':') {
            Some((prefix, local)) if plain(prefix) && plain(local) => (prefix, local),
            None if plain(name) => ("", name),
            _ => return Err(self.bad("an unusual name")),
        };
        Ok((self.intern(prefix), self.intern(local)))
    }

    /// Shares equal names. Only the first few dozen are shared, so that a document of ever new names stays linear.
    fn intern(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.names.iter().find(|n| &***n == name) {
            return Rc::clone(known);
        }
        let new: Rc<str> = Rc::from(name);
        if self.names.len() < 64 {
            self.names.push(Rc::clone(&new));
        }
        new
    }
}
