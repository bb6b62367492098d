"""Published file formats as records: tables, CoNLL columns, SQuAD's JSON.  Every file is checked whole."""
