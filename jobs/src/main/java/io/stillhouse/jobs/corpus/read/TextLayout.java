package io.stillhouse.jobs.corpus.read;

import io.stillhouse.spec.CorpusSpec.Format;
import java.io.Serializable;
import java.nio.charset.Charset;
import java.util.Map;

/**
 * How text files are read.
 *
 * @param format CSV, TSV, JSON or TEXT
 * @param encoding name of the character set
 * @param header whether the first record of a file names its columns
 * @param width number of fields of a record in CSV and TSV
 * @param places index of the field of each role in CSV and TSV
 * @param keys key of each role in JSON
 */
public record TextLayout(
    Format format,
    String encoding,
    boolean header,
    int width,
    Map<Role, Integer> places,
    Map<Role, String> keys)
    implements Serializable {

  Charset charset() {
    return Charset.forName(encoding);
  }

  /** Returns whether the records of a file can be read in byte ranges. */
  public boolean splits() {
    return format != Format.CSV && Encoding.splitsAtLineFeeds(charset());
  }
}
