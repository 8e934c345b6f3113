/**
 * Augments text: replaces words by rules, by neighbouring word vectors, or by words of the same
 * part of speech.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.augment;
