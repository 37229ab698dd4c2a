//! Reads a migration and tells what in it the release before could not live with.

use std::collections::BTreeSet;

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, ColumnOption, CreateIndex,
    ObjectName, Statement,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

/// Everything in `sql` that takes something away, asks for something new, or locks a table in use; what is
/// not known to do none of these counts as well. Rows of the tables that are `written_whole` have
/// null in a new column.
pub(crate) fn breaking(sql: &str, written_whole: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut made = BTreeSet::new();
    for statement in statements(sql) {
        let Ok(read) = Parser::parse_sql(&PostgreSqlDialect {}, &statement) else {
            if !only_adds_unread(&statement) {
                found.push(format!("cannot be read: {statement}"));
            }
            continue;
        };
        for statement in read {
            match statement {
                Statement::CreateTable(table) => {
                    made.insert(name(&table.name));
                }
                Statement::CreateIndex(index) => {
                    if !made.contains(&name(&index.table_name)) {
                        found.extend(of_index(&index));
                    }
                }
                Statement::AlterTable(table) => {
                    if !made.contains(&name(&table.name)) {
                        let replaced = format!("function project_{}(", name(&table.name));
                        let whole =
                            written_whole.contains(&name(&table.name)) && !sql.contains(&replaced);
                        found.extend(of_table(&table, whole));
                    }
                }
                other if only_adds(&other) => {}
                other => found.push(other.to_string()),
            }
        }
    }
    found
}

/// The statements by themselves, so that one which cannot be read hides no other.
fn statements(sql: &str) -> Vec<String> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize()
        .unwrap();
    let parts = tokens.split(|token| *token == Token::SemiColon);
    parts
        .map(|tokens| tokens.iter().filter(|it| !is_comment(it)))
        .map(|tokens| tokens.map(ToString::to_string).collect::<String>())
        .map(|statement| statement.trim().to_owned())
        .filter(|statement| !statement.is_empty())
        .collect()
}

fn is_comment(token: &Token) -> bool {
    // What is left of it would be taken for the end of the statement's line.
    matches!(token, Token::Whitespace(it) if it.to_string().starts_with("--"))
}

/// Of what the parser does not know, what adds by the way it begins.
fn only_adds_unread(statement: &str) -> bool {
    let statement = statement.to_lowercase();
    let begins = [
        "create function",
        "create or replace function",
        "create trigger",
        "grant ",
    ];
    begins.iter().any(|begins| statement.starts_with(begins))
}

fn only_adds(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::CreateFunction(_)
            | Statement::CreateView(_)
            | Statement::CreateTrigger(_)
            | Statement::CreateExtension(_)
            | Statement::CreateType { .. }
            | Statement::Comment { .. }
            | Statement::Grant(_)
            | Statement::Insert(_)
            | Statement::Update(_)
            | Statement::Query(_)
    )
}

fn of_index(index: &CreateIndex) -> Option<String> {
    if index.unique {
        return Some(format!("unique, which what is written may not be: {index}"));
    }
    (!index.concurrently).then(|| format!("not made concurrently: {index}"))
}

fn of_table(table: &AlterTable, is_written_whole: bool) -> Vec<String> {
    let found = table.operations.iter().filter_map(|operation| {
        let why = match operation {
            AlterTableOperation::AddColumn { column_def, .. } => {
                of_column(column_def, is_written_whole)?
            }
            AlterTableOperation::AddConstraint {
                not_valid: false, ..
            } => "not added as not valid",
            AlterTableOperation::AlterColumn {
                op: AlterColumnOperation::DropNotNull | AlterColumnOperation::SetDefault { .. },
                ..
            }
            | AlterTableOperation::AddConstraint { .. }
            | AlterTableOperation::ValidateConstraint { .. }
            | AlterTableOperation::DropConstraint { .. }
            | AlterTableOperation::SetOptionsParens { .. } => return None,
            _ => "what the release before uses",
        };
        Some(format!("{why}: alter table {} {operation}", table.name))
    });
    found.collect()
}

fn of_column(column: &ColumnDef, is_written_whole: bool) -> Option<&'static str> {
    let has =
        |wanted: fn(&ColumnOption) -> bool| column.options.iter().any(|it| wanted(&it.option));
    if !has(|it| matches!(it, ColumnOption::NotNull)) {
        return None;
    }
    if is_written_whole {
        return Some("null where rows are written whole");
    }
    let is_given = has(|it| {
        matches!(
            it,
            ColumnOption::Default(_) | ColumnOption::Generated { .. }
        )
    });
    (!is_given).then_some("without a default")
}

fn name(name: &ObjectName) -> String {
    name.to_string().to_lowercase()
}
