package io.stillhouse.augment;

import java.util.Locale;
import java.util.Set;

/**
 * English function words, and the parts into which a tokenizer splits contractions, such as {@code
 * don} and {@code t}.
 */
final class StopWords {
  private static final Set<String> WORDS =
      Set.of(
          """
          a an the this that these those some any no every each all both either neither such same
          other few more most own
          i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his
          himself she her hers herself it its itself they them their theirs themselves who whom whose
          which what
          am is are was were be been being have has had having do does did doing can could will would
          shall should may might must ought
          and or but nor if because as until while although though unless since whether than
          of at by for with about against between among into onto through during before after above
          below to from up down in out on off over under upon within without
          not only very too so just again further then once here there now when where why how
          s t d ll m o re ve y ma ain don aren couldn didn doesn hadn hasn haven isn mightn mustn needn
          shan shouldn wasn weren won wouldn
          """
              .strip()
              .split("\\s+"));

  private StopWords() {}

  static boolean contain(String word) {
    return WORDS.contains(word.toLowerCase(Locale.ROOT));
  }
}
