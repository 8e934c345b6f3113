package io.stillhouse.jobs.corpus;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.error.Text;
import io.stillhouse.jobs.corpus.read.Role;
import io.stillhouse.spec.CorpusSpec.Format;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Finds the columns that a recipe names. Names are compared exactly.
 *
 * @param inFiles names of the columns of the files, in order; any names if columns are found by
 *     their index
 * @param inDirectories names of the columns that the names of directories define
 * @param byIndex whether columns are named by their index, because files have no header
 */
record ColumnNames(
    Format format, List<String> inFiles, List<String> inDirectories, boolean byIndex) {

  /**
   * A column.
   *
   * @param index its index in a file, or in the names of the directories
   */
  record Place(String name, int index, boolean inDirectory) {}

  /**
   * Returns a column that must exist.
   *
   * @throws StillhouseException if there is no such column, or several
   */
  Place find(String name, Role role) {
    Place place = byIndex && !inDirectories.contains(name) ? atIndex(name, role) : named(name);
    if (place == null) {
      throw missing(name, role);
    }
    return place;
  }

  /** Returns whether a name is that of a column. */
  boolean contains(String name) {
    return inFiles.contains(name) || inDirectories.contains(name);
  }

  private @Nullable Place named(String name) {
    int inFile = inFiles.indexOf(name);
    int inDirectory = inDirectories.indexOf(name);
    if (!byIndex && inFile != inFiles.lastIndexOf(name)) {
      throw Errors.invalid(
          Text.format(
              "%d columns of the corpus have the name '%s'",
              Collections.frequency(inFiles, name), name),
          "give each column a name of its own");
    }
    if (!byIndex && inFile >= 0 && inDirectory >= 0) {
      throw Errors.invalid(
          Text.format(
              "column '%s' of the corpus is in its files and in the names of its directories",
              name),
          "rename one of them");
    }
    if (inDirectory >= 0) {
      return new Place(name, inDirectory, true);
    }
    return inFile < 0 ? null : new Place(name, inFile, false);
  }

  private Place atIndex(String text, Role role) {
    if (!text.matches("\\d{1,6}")) {
      throw Errors.invalid(
          Text.format(
              "'%s' cannot be the corpus's %s: without a header row, columns have no names",
              text, role.word()),
          choices() + ", or set corpus.header=true");
    }
    int index = Integer.parseInt(text);
    int width = inFiles.size();
    if (index >= width + inDirectories.size()) {
      throw Errors.invalid(
          Text.format(
              "the corpus has no column %d for its %s: it has %d columns",
              index, role.word(), width + inDirectories.size()),
          choices());
    }
    return index < width
        ? new Place(text, index, false)
        : new Place(inDirectories.get(index - width), index - width, true);
  }

  /** Returns the error for a column that does not exist. */
  StillhouseException missing(String name, Role role) {
    return Errors.invalid(
        Text.format("the corpus has no column '%s' for its %s", name, role.word()), choices());
  }

  /** Returns the names of all columns, or their indices if that is how they are named. */
  List<String> all() {
    List<String> all = new ArrayList<>(inFiles);
    all.addAll(inDirectories);
    return byIndex ? IntStream.range(0, all.size()).mapToObj(Integer::toString).toList() : all;
  }

  /** Returns the columns that exist, as advice. */
  String choices() {
    if (format == Format.TEXT && inDirectories.isEmpty()) {
      return "plain text has no columns: remove the column settings, or change corpus.format";
    }
    if (format == Format.CSV && inFiles.size() == 1 && inFiles.get(0).contains("\t")) {
      return "its columns are separated by tabs: set corpus.format=tsv";
    }
    if (format == Format.CSV && inFiles.size() == 1 && inFiles.get(0).contains(";")) {
      return "its columns seem to be separated by semicolons: save it with commas";
    }
    return "choose from " + shortened(all());
  }

  private static String shortened(List<String> names) {
    int most = 30;
    return names.size() <= most
        ? names.toString()
        : Text.format("%s and %d more", names.subList(0, most), names.size() - most);
  }
}
