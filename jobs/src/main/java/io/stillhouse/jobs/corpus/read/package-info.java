/**
 * Strict readers of CSV, TSV, JSON and text files. Each record either has the values of the wanted
 * columns, or a reason why it cannot be read; none is dropped, repaired or filled with nulls. Files
 * are read in byte ranges where records are lines, and as a whole where a quoted field may contain
 * line breaks.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.corpus.read;
