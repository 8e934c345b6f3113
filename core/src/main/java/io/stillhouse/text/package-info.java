/** Text to token ids and back, as Hugging Face's BERT tokenizers do it. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.text;
