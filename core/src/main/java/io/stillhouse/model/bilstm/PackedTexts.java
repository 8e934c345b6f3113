package io.stillhouse.model.bilstm;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.model.Batch;
import io.stillhouse.spec.BiLstmSpec;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * The order in which an LSTM reads the texts of a batch, as PyTorch's PackedSequence: the first
 * token of each text, longest text first, then the second token of each text that has one, and so
 * on. It contains no padding, and the texts of a step are the first ones of the step before. An
 * index in this order is called a place. For the backward direction, the same places hold each
 * text's tokens from the last to the first.
 *
 * @param tokens for each place, the index of its token among the batch's padded ones
 * @param backward for each place, the place of the token that the backward direction reads there
 * @param sizes the number of texts that have a token at each step
 * @param order the texts by length, longest first; text n of a row has number n * rows + row
 * @param lastPlaces for each text, the place of its last step
 * @param previous for each place from the second step on, the place of the same text in the step
 *     before
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record PackedTexts(
    long[] tokens,
    long[] backward,
    long[] sizes,
    long[] order,
    long[] lastPlaces,
    long[] previous) {

  /**
   * Returns the order for a batch.
   *
   * @param texts number of texts per row: a single text has all tokens; of two texts, the first has
   *     the tokens with segment id 0
   * @throws io.stillhouse.error.StillhouseException if two texts are expected, but a row has one
   */
  static PackedTexts of(Batch batch, BiLstmSpec.Texts texts) {
    int[][] places = places(batch, texts);
    Integer[] order =
        IntStream.range(0, places.length)
            .boxed()
            .sorted(Comparator.comparingInt((Integer text) -> -places[text].length))
            .toArray(Integer[]::new);
    int count = Arrays.stream(places).mapToInt(text -> text.length).sum();
    int steps = places[order[0]].length;
    long[] sizes = new long[steps];
    int[] starts = new int[steps + 1];
    for (int step = 0; step < steps; step++) {
      for (int[] text : places) {
        sizes[step] += text.length > step ? 1 : 0;
      }
      starts[step + 1] = starts[step] + (int) sizes[step];
    }
    long[] tokens = new long[count];
    long[] backward = new long[count];
    long[] lastPlaces = new long[places.length];
    long[] previous = new long[count - places.length];
    for (int at = 0; at < order.length; at++) {
      int[] text = places[order[at]];
      for (int step = 0; step < text.length; step++) {
        int place = starts[step] + at;
        tokens[place] = text[step];
        backward[place] = (long) starts[text.length - 1 - step] + at;
        if (step > 0) {
          previous[place - places.length] = (long) starts[step - 1] + at;
        }
      }
      lastPlaces[order[at]] = (long) starts[text.length - 1] + at;
    }
    return new PackedTexts(
        tokens,
        backward,
        sizes,
        Arrays.stream(order).mapToLong(Integer::longValue).toArray(),
        lastPlaces,
        previous);
  }

  /** Returns the indices of each text's tokens among the padded ones. */
  private static int[][] places(Batch batch, BiLstmSpec.Texts texts) {
    int rows = batch.rows();
    int[][] places = new int[texts.count() * rows][];
    long[] types = batch.typesBL().toLongArray();
    for (int row = 0; row < rows; row++) {
      int start = row * batch.longest();
      IntStream all = IntStream.range(start, start + batch.lengths()[row]);
      if (texts == BiLstmSpec.Texts.SINGLE) {
        places[row] = all.toArray();
        continue;
      }
      int[] tokens = all.toArray();
      places[row] = Arrays.stream(tokens).filter(token -> types[token] == 0).toArray();
      places[rows + row] = Arrays.stream(tokens).filter(token -> types[token] != 0).toArray();
      if (places[rows + row].length == 0) {
        throw Errors.invalid(
            format("a row of %d tokens has one text, but this BiLSTM reads two", tokens.length),
            "set corpus.pair to the column of the second text");
      }
    }
    return places;
  }
}
