import Screen from '../screens/SignIn.svelte';
import { start } from './start';

start(Screen);
