//! Changes to requests and answers.

use super::Directive as Row;
use super::{Body, Lower, Scope, Standing};
use crate::lower::edit;

const REQUEST: &[Scope] = &[Scope::Listener, Scope::TlsListener, Scope::Service, Scope::Rewrite];
const BOTH: &[Scope] =
    &[Scope::Listener, Scope::TlsListener, Scope::Service, Scope::Rewrite, Scope::RewriteResponse];

pub(super) static ROWS: &[Row] = &[
    Row {
        name: "SetHeader",
        scopes: BOTH,
        syntax: "\"NAME: VALUE\"",
        since: "4.6",
        doc: "Replace all fields of this name by this one, or add it.",
        example: "SetHeader \"X-Request-Path: %[path]\"",
        lower: Lower::Field(edit::set_header),
        ..EDIT
    },
    Row {
        name: "DeleteHeader",
        scopes: BOTH,
        syntax: "[OPTIONS] \"PATTERN\"",
        options: true,
        since: "4.6",
        doc: "Remove each field whose line, `Name: value`, matches. Case counts unless -icase is given.",
        example: "DeleteHeader -icase \"^X-Debug:\"",
        lower: Lower::Field(edit::delete_header),
        ..EDIT
    },
    Row {
        name: "SetURL",
        syntax: "\"TEMPLATE\"",
        since: "4.6",
        doc: "Replace path and query.",
        lower: Lower::Request(edit::set_url),
        ..EDIT
    },
    Row {
        name: "SetPath",
        syntax: "[-encode] \"TEMPLATE\"",
        options: true,
        since: "4.6",
        doc: "Replace the path. With -encode, characters that may not stand in a path are percent-encoded.",
        example: "SetPath \"/new/$1\"",
        lower: Lower::Request(edit::set_path),
        ..EDIT
    },
    Row {
        name: "SetQuery",
        syntax: "\"TEMPLATE\"",
        since: "4.6",
        doc: "Replace the query.",
        lower: Lower::Request(edit::set_query),
        ..EDIT
    },
    Row {
        name: "DeleteQuery",
        arguments: (0, 0),
        since: "4.23",
        doc: "Remove the query.",
        lower: Lower::Request(edit::delete_query),
        ..EDIT
    },
    Row {
        name: "SetQueryParam",
        syntax: "\"NAME\" [-encode] [\"TEMPLATE\"]",
        arguments: (1, 3),
        options: true,
        since: "4.6",
        doc: "Replace one parameter of the query, or add it; without a value, remove it. One is left, or none, however \
              many there were. A blank and what else cannot stand in a query is percent-encoded; with -encode also \
              `&`, `=`, `+` and `%`.",
        example: "SetQueryParam \"client\" -encode \"%[remoteip 1]\"",
        lower: Lower::Request(edit::set_query_param),
        ..EDIT
    },
    Row {
        name: "Rewrite",
        scopes: BOTH,
        syntax: "[request|response]",
        arguments: (0, 1),
        body: Body::Branches,
        default: "request",
        since: "4.4",
        doc: "Conditions and modifications; after `Else` others. The first branch whose conditions all hold is made. \
              A Rewrite may stand in another one of the same kind. The modifications of `response` are SetHeader and \
              DeleteHeader; they also concern the pages of Error.",
        example: "Rewrite\n\tPath -beg \"/old/\"\n\tSetPath \"/new\"\nElse\n\tSetHeader \"X-New: yes\"\nEnd",
        lower: Lower::Rewrite,
        ..EDIT
    },
    Row {
        name: "AddHeader",
        aliases: &["HeaderAdd"],
        scopes: BOTH,
        syntax: "\"NAME: VALUE\"",
        since: "2.0",
        standing: Standing::Deprecated("SetHeader \"NAME: VALUE\""),
        doc: "Replace the fields of this name, or add one. (Pound 2.x added one in any case.)",
        lower: Lower::Field(edit::set_header),
        ..EDIT
    },
    Row {
        name: "HeadRemove",
        aliases: &["HeaderRemove"],
        scopes: BOTH,
        syntax: "[OPTIONS] \"PATTERN\"",
        options: true,
        since: "1.5",
        standing: Standing::Deprecated("DeleteHeader -icase \"PATTERN\""),
        doc: "Remove each field whose line matches, in any case.",
        lower: Lower::Field(edit::head_remove),
        ..EDIT
    },
    Row {
        name: "LuaModify",
        scopes: BOTH,
        syntax: "\"FUNCTION\" \"ARGUMENT\" …",
        arguments: (1, 64),
        since: "4.19",
        standing: Standing::Pending,
        doc: "A Lua function changes the message.",
        ..EDIT
    },
];

const EDIT: Row = Row { scopes: REQUEST, once: false, ..Row::ROW };
