package io.stillhouse.error;

/** Finds the word that the user most likely meant. */
public final class Spelling {
  private Spelling() {}

  /**
   * Returns the candidate that is closest to a word; among equals, the first in alphabetical order.
   */
  public static String nearest(String word, Iterable<String> candidates) {
    String best = "";
    int bestDistance = Integer.MAX_VALUE;
    for (String candidate : candidates) {
      int distance = distance(word, candidate);
      if (distance < bestDistance || distance == bestDistance && candidate.compareTo(best) < 0) {
        bestDistance = distance;
        best = candidate;
      }
    }
    return best;
  }

  /**
   * Returns the Levenshtein distance. commons-text has an implementation, but fifteen lines are not
   * worth a dependency.
   */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int above = row[j];
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        row[j] = Math.min(replaced, Math.min(above, row[j - 1]) + 1);
        diagonal = above;
      }
    }
    return row[b.length()];
  }
}
