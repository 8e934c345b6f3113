/**
 * ColumnSelection a corpus with Spark into rows of text that have keys. A key is the user's id or the file's
 * name and the row's number in it; it does not depend on how Spark cuts the files, so any cluster
 * gives the same keys.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.text;
