package io.stillhouse.jobs.inference;

import io.stillhouse.text.Pairing;
import java.util.List;

/** The forward pass of one form of a model, for one batch of rows of similar lengths. */
interface BatchForward {
  /** Returns the logits, (rows, C). */
  float[][] logits(List<Pairing.Input> batch);

  /** Returns pooled last hidden states, (rows, H). */
  float[][] embeddings(List<Pairing.Input> batch, Pooling pooling);
}
