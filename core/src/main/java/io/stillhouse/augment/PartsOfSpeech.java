package io.stillhouse.augment;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import opennlp.tools.postag.POSModel;
import opennlp.tools.postag.POSTaggerME;

/**
 * Tags English words with parts of speech, using Apache OpenNLP's model trained on the English Web
 * Treebank of Universal Dependencies. Not thread-safe.
 */
public final class PartsOfSpeech {
  private static final String MODEL = "/opennlp-en-ud-ewt-pos-1.3-2.5.4.bin";

  private final POSTaggerME tagger;

  private PartsOfSpeech(POSTaggerME tagger) {
    this.tagger = tagger;
  }

  /** Returns a tagger for English. The model is part of the jar. */
  public static PartsOfSpeech english() {
    return new PartsOfSpeech(new POSTaggerME(Model.ENGLISH));
  }

  /** Returns the tag of each word of a sentence, such as {@code NOUN}. */
  public List<String> tags(List<String> sentence) {
    return List.of(tagger.tag(sentence.toArray(String[]::new)));
  }

  /** Loaded on first use and shared by all taggers of the process. */
  private static final class Model {
    static final POSModel ENGLISH = load();

    private static POSModel load() {
      try (InputStream in = PartsOfSpeech.class.getResourceAsStream(MODEL)) {
        if (in == null) {
          throw new IllegalStateException("the class path lacks " + MODEL);
        }
        return new POSModel(in);
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
    }
  }
}
