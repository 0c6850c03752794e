// Words without diacritics, as the server folds them (`rooms/folding.py`): "Đống Đa" is found by "dong da".

/** Lower case, diacritics off, đ → d. */
export const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/đ/g, "d");
