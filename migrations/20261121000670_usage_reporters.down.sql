drop table usage_reporters;
