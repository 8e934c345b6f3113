/**
 * Reads a corpus in Spark jobs into rows of text with keys ({@code Corpus}) and converts them to
 * rows of token ids ({@code RowTokenizer}). A key is the user's id, or the name of the file and the
 * number of the row in it, so it does not depend on how files are split. Rows that cannot be used
 * are counted by reason ({@code InvalidRows}), and one policy of all commands decides whether they
 * are left out. Files of word vectors and the comparison of tokenizers are also here.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.jobs.corpus;
