/**
 * The command {@code report}: one self-contained HTML page about a run, and its numbers as JSON.
 * The records that other commands leave are read first, and models are run only where a record is
 * not enough. The page is a Mustache template, with tables and charts that classes of this package
 * prepare.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.report;
