//! A workbook and its sheets: a heading that stays in sight and filters the rows below. Text is always text: none is evaluated,
//! nor made a link, and what would become a formula when it is edited has the mark of a quote.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatBorder, Workbook, Worksheet, XlsxError};

use crate::report::file::csv::begins_formula;

/// Rows of a sheet that programs read.
const ROWS_MAX: usize = 1_048_576;

/// Characters of a cell that programs read, each of which may count as two.
const CELL_MAX: usize = 16_383;

/// A cell.
pub(in crate::report) enum SheetCell {
    Text(String),
    Number(f64),
    Empty,
}

impl SheetCell {
    /// A text that was made fit to be shown.
    pub(in crate::report) fn text(text: String) -> Self {
        if text.is_empty() { Self::Empty } else { Self::Text(text) }
    }

    /// A number, where there is one.
    pub(in crate::report) fn number(number: Option<f64>) -> Self {
        number.filter(|number| number.is_finite()).map_or(Self::Empty, Self::Number)
    }
}

/// What a column is called, how wide it is, and how its numbers look.
pub(in crate::report) type SheetColumn<'a> = (&'a str, f64, Option<&'a str>);

/// A workbook without sheets, of this moment (seconds since 1970). It says so inside, and nothing of the clock: the same
/// record makes the same bytes.
pub(in crate::report) fn workbook(at: Option<u64>) -> Result<Workbook, XlsxError> {
    // What lies outside the calendar of workbooks, or is not known, is their first day.
    let at = at.and_then(|at| ExcelDateTime::from_timestamp(i64::try_from(at).ok()?).ok());
    let at = at.map_or_else(|| ExcelDateTime::from_ymd(1900, 1, 1), Ok)?;
    let mut workbook = Workbook::new();
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&at));
    Ok(workbook)
}

/// Fills a sheet; gives the number of its last row, from 0.
pub(in crate::report) fn sheet(
    sheet: &mut Worksheet,
    name: &str,
    columns: &[SheetColumn<'_>],
    rows: impl Iterator<Item = Vec<SheetCell>>,
) -> Result<u32, XlsxError> {
    let heading = Format::new().set_bold().set_border_bottom(FormatBorder::Thin);
    let quoted = Format::new().set_quote_prefix();
    sheet.set_name(name)?.set_freeze_panes(1, 0)?;
    for ((title, width, format), column) in columns.iter().zip(0_u16..) {
        sheet.set_column_width(column, *width)?;
        if let Some(format) = format {
            sheet.set_column_format(column, &Format::new().set_num_format(*format))?;
        }
        sheet.write_string_with_format(0, column, *title, &heading)?;
    }
    let mut last = 0;
    for (cells, row) in rows.take(ROWS_MAX - 1).zip(1_u32..) {
        for (cell, column) in cells.into_iter().zip(0_u16..) {
            match cell {
                SheetCell::Text(text) => {
                    let text: String = text.chars().take(CELL_MAX).collect();
                    if begins_formula(&text) {
                        sheet.write_string_with_format(row, column, text, &quoted)?;
                    } else {
                        sheet.write_string(row, column, text)?;
                    }
                }
                SheetCell::Number(number) => drop(sheet.write_number(row, column, number)?),
                SheetCell::Empty => {}
            }
        }
        last = row;
    }
    let columns = u16::try_from(columns.len()).unwrap_or(u16::MAX);
    sheet.autofilter(0, 0, last, columns.saturating_sub(1))?;
    Ok(last)
}
