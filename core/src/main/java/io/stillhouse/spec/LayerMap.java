package io.stillhouse.spec;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The teacher hidden state that each student hidden state 0..M learns from; 0 is the embedding
 * output.
 */
public sealed interface LayerMap {

  /**
   * Returns M + 1 teacher hidden states, one for each student hidden state 0..M. Entry m &ge; 1
   * also names the teacher block whose attention scores student block m learns from.
   *
   * @throws io.stillhouse.error.StillhouseException if the depths do not fit the map
   */
  List<Integer> teacherLayers(int studentLayers, int teacherLayers);

  /**
   * Reads {@code uniform}, {@code top}, {@code bottom}, or a list such as {@code [0, 3, 6, 9, 12]}.
   */
  static LayerMap parse(String text) {
    return switch (text.strip()) {
      case "uniform" -> new Uniform();
      case "top" -> new Top();
      case "bottom" -> new Bottom();
      default ->
          new Explicit(
              Arrays.stream(text.replaceAll("[\\[\\]\\s]", "").split(","))
                  .map(Integer::valueOf)
                  .toList());
    };
  }

  /** TinyBERT's g(m) = m N / M (arXiv:1909.10351, section 3.1). */
  record Uniform() implements LayerMap {
    @Override
    public List<Integer> teacherLayers(int studentLayers, int teacherLayers) {
      requireNoDeeper(studentLayers, teacherLayers);
      if (teacherLayers % studentLayers != 0) {
        throw Errors.invalid(
            format(
                "a uniform layer map needs teacher layers (%d) to be a multiple of student layers"
                    + " (%d)",
                teacherLayers, studentLayers),
            "list hidden states instead, such as student.layer-map="
                + suggestion(studentLayers, teacherLayers));
      }
      int step = teacherLayers / studentLayers;
      return IntStream.rangeClosed(0, studentLayers).mapToObj(m -> m * step).toList();
    }

    private static List<Integer> suggestion(int studentLayers, int teacherLayers) {
      return IntStream.rangeClosed(0, studentLayers)
          .mapToObj(m -> Math.round((float) m * teacherLayers / studentLayers))
          .toList();
    }
  }

  /**
   * TinyBERT's g(m) = m + N - M: the teacher's last blocks. The embedding output still learns from
   * the teacher's embedding output.
   */
  record Top() implements LayerMap {
    @Override
    public List<Integer> teacherLayers(int studentLayers, int teacherLayers) {
      requireNoDeeper(studentLayers, teacherLayers);
      List<Integer> layers = new ArrayList<>(List.of(0));
      for (int m = 1; m <= studentLayers; m++) {
        layers.add(m + teacherLayers - studentLayers);
      }
      return List.copyOf(layers);
    }
  }

  /** TinyBERT's g(m) = m: the teacher's first blocks. */
  record Bottom() implements LayerMap {
    @Override
    public List<Integer> teacherLayers(int studentLayers, int teacherLayers) {
      requireNoDeeper(studentLayers, teacherLayers);
      return IntStream.rangeClosed(0, studentLayers).boxed().toList();
    }
  }

  /** A list of a teacher hidden state for each student hidden state. */
  record Explicit(List<Integer> layers) implements LayerMap {
    public Explicit {
      layers = List.copyOf(layers);
    }

    @Override
    public List<Integer> teacherLayers(int studentLayers, int teacherLayers) {
      if (layers.size() != studentLayers + 1) {
        throw Errors.invalid(
            format(
                "student.layer-map %s names %d teacher hidden states, but a student of %d layers"
                    + " has %d (0..%d)",
                layers, layers.size(), studentLayers, studentLayers + 1, studentLayers),
            "list one for each, the first for the embedding output");
      }
      for (int m = 0; m <= studentLayers; m++) {
        int layer = layers.get(m);
        if (layer < 0 || layer > teacherLayers) {
          throw Errors.invalid(
              format(
                  "student.layer-map %s names hidden state %d, but the teacher has 0..%d",
                  layers, layer, teacherLayers),
              "list one of those");
        }
        if (m > 0 && layer == 0) {
          throw Errors.invalid(
              format(
                  "student.layer-map %s maps student block %d to hidden state 0, the teacher's"
                      + " embedding output, which has no attention scores",
                  layers, m),
              format("map blocks to 1..%d", teacherLayers));
        }
      }
      return layers;
    }
  }

  private static void requireNoDeeper(int studentLayers, int teacherLayers) {
    if (studentLayers < 1 || studentLayers > teacherLayers) {
      throw Errors.invalid(
          format(
              "student layers (%d) must be from 1 to %d, the teacher's depth",
              studentLayers, teacherLayers),
          "lower student.layers, or list hidden states in student.layer-map");
    }
  }
}
