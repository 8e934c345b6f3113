package io.stillhouse.recipe;

/** The baseline: the student of a recipe trained on the labels alone, without the teacher. */
public final class Baseline {
  private Baseline() {}

  /** Returns the name of a student's baseline. */
  public static String name(String student) {
    return student.equals("distilled") ? "baseline" : student + "-baseline";
  }
}
