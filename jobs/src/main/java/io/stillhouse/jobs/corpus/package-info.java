/**
 * Reads a corpus with Spark into rows of text with keys, and tokenizes them. A key is the user's
 * id, or the file's name and the row's number in it, so it does not depend on how Spark splits the
 * files.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.corpus;
