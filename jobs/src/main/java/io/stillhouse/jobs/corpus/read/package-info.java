/**
 * Strict readers of a corpus's files. Each record either has the values of the wanted columns, or a
 * reason why it cannot be read; none is dropped, repaired or filled with nulls. TSV, JSON and text
 * are read in byte ranges, because their records are lines; CSV files are read as a whole, because
 * a quoted field may contain line breaks. Spark reads Parquet and ORC; their columns are checked
 * here.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.corpus.read;
